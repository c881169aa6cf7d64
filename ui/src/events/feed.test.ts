import { describe, expect, it } from "vitest";

import { EVENTS_KEPT } from "../api/events";
import { joined, newer } from "./feed";

const page = (...ids: string[]) => ids.map((id) => ({ event: "e", event_id: id, utc_ms: 0 }));
const ids = (events: readonly { event_id: string }[]) => events.map((event) => event.event_id);

describe("the feed", () => {
  it("has the newest first and none twice", () => {
    const first = joined([], page("1", "2"));
    expect(ids(first)).toEqual(["2", "1"]);
    expect(ids(joined(first, page("2", "3", "4")))).toEqual(["4", "3", "2", "1"]);
    expect(joined(first, page("1"))).toBe(first);
  });

  it("does not grow without end", () => {
    const many = joined([], page(...Array.from({ length: EVENTS_KEPT }, (_, number) => `${number}`)));
    const more = joined(many, page("new"));
    expect(more.length).toBe(EVENTS_KEPT);
    expect(more[0]?.event_id).toBe("new");
  });

  it("counts what has come since", () => {
    const before = joined([], page("1", "2"));
    expect(newer(before, before)).toBe(0);
    expect(newer(joined(before, page("3", "4")), before)).toBe(2);
    expect(newer(before, [])).toBe(2);
  });
});
