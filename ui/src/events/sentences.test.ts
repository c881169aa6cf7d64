import { describe, expect, it } from "vitest";

import type { ServerEvent } from "../api/types";
import { searched, sentence } from "./sentences";

const told = (fields: Partial<ServerEvent> & { event: string }): string =>
  sentence({ event_id: "1", utc_ms: 0, ...fields })
    .map((part) => (typeof part === "string" ? part : "stream" in part ? `<${part.stream}>` : `@${part.moment}`))
    .join("");

describe("sentences", () => {
  it("say what was deleted and why", () => {
    const blob = "/storage/ort/2026/11/20/17/1795193103250.mp4";
    expect(
      told({ event: "dvr_blob_deleted", media: "ort", blob, disk_size: 1_230_000_000, reason: "expiration" }),
    ).toBe("Deleted the recording of <ort> from @1795193103250 (expired), 1.23 GB");
  });

  it("say who watches, and why not any more", () => {
    const viewer = { media: "ort", ip: "10.0.0.1", user_id: "anna", proto: "hls", opened_at: 0 };
    expect(told({ event: "play_opened", ...viewer, dvr: true })).toBe(
      "anna (10.0.0.1) watches <ort>, from the archive by HLS",
    );
    expect(
      told({ event: "play_closed", ...viewer, user_id: "", closed_at: 65_000, bytes: 5000, reason: "kicked" }),
    ).toBe("10.0.0.1 has left <ort> (sent away), 1 min 05 s, 5 kB");
  });

  it("say why a source is lost", () => {
    expect(told({ event: "source_lost", media: "a/b", reason: "timestamp_jump" })).toBe(
      "<a/b> has lost its source: timestamp jump",
    );
  });

  it("say what became of the clock and the catalog", () => {
    expect(told({ event: "clock_held", shift_ms: -7_200_000 })).toBe(
      "The machine's clock is 2 h behind and is not followed",
    );
    expect(told({ event: "clock_contradicted", difference_ms: -7_200_000 })).toBe(
      "Several sources agree that the server's time is 2 h ahead",
    );
    expect(told({ event: "clock_contradicted", difference_ms: null })).toBe(
      "Sources contradict the server's time no more",
    );
    expect(told({ event: "clock_stepped", from_ms: 5000, to_ms: 9000, doubtful_ms: 2000 })).toBe(
      "The server's time has stepped from @5000 to @9000: what was recorded since @2000 has wrong dates",
    );
    expect(told({ event: "catalog_rows_set_aside", source: "blobs", count: 3, reason: "no time" })).toBe(
      "3 rows of the catalog's blobs make no sense and are set aside: no time",
    );
    expect(
      told({ event: "dvr_root_imported", path: "/s", found: 2, gone: 0, skipped: 1, reasons: ["x is a fifo"] }),
    ).toBe("On /s something has changed without the server: 2 recordings found, 0 gone, 1 things skipped: x is a fifo");
  });

  it("do with what is missing", () => {
    for (const event of [
      "catalog_rows_set_aside",
      "clock_contradicted",
      "clock_held",
      "clock_stepped",
      "dvr_root_imported",
      "dvr_deletion_failed",
      "dvr_locks_damaged",
      "dvr_misdated",
      "dvr_stream_in_use",
      "dvr_blob_closed",
      "dvr_blob_deleted",
      "dvr_drop_write",
      "play_closed",
      "config_reload_failed",
    ]) {
      expect(told({ event })).not.toMatch(/undefined|null|NaN|: *$/);
    }
  });

  it("tell a failed export from a good one", () => {
    const job = { event: "dvr_export_finished", media: "ort", path: "/x.mp4" };
    expect(told(job)).toContain("Exported <ort>");
    expect(told({ ...job, error: "no_space" })).toMatch(/^Could not export <ort>.*: no space$/);
  });

  it("have a word for what is new", () => {
    expect(told({ event: "dvr_moon_rose", media: "ort" })).toBe("Dvr moon rose: <ort>");
    expect(told({ event: "constructor" })).toBe("Constructor");
  });

  it("are searched with their fields", () => {
    const text = searched({ event: "source_lost", event_id: "1", utc_ms: 0, media: "Ort", reason: "timeout" });
    expect(text).toContain("ort has lost its source");
    expect(text).toContain('"reason":"timeout"');
  });
});
