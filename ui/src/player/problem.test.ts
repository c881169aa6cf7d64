import { describe, expect, it } from "vitest";

import { problemOf, retryAfterMs } from "./problem";

describe("problems", () => {
  it("are told in the viewer's words", () => {
    expect(problemOf(0, undefined, true).code).toBe("network");
    expect(problemOf(401, "signed_out", true).code).toBe("signed_out");
    expect(problemOf(403, "archive_not_allowed", false).text).toMatch(/archive/);
    expect(problemOf(403, "access_denied", false).code).toBe("denied");
    expect(problemOf(404, "no_recordings", true).code).toBe("not_running");
    expect(problemOf(404, "no_recordings", false).code).toBe("no_recordings");
    expect(problemOf(404, "stream_not_found", true).code).toBe("no_stream");
    expect(problemOf(503, "busy", false).text).toMatch(/503/);
  });

  it("are tried again less and less often, but always", () => {
    const network = problemOf(0, undefined, true);
    const waits = [0, 1, 2, 3, 10, 50].map((attempt) => retryAfterMs(network, attempt));
    expect(waits).toEqual([1000, 2000, 4000, 6000, 6000, 6000]);
    expect(retryAfterMs(problemOf(403, undefined, true), 0)).toBeGreaterThanOrEqual(10_000);
  });
});
