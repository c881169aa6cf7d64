/** The player on other sites: one stream at a time, of those that the address names. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { shownZone } from "../common/time";
import { Embedded } from "./Embedded";
import { readWishes } from "./wishes";

export function EmbedPage() {
  const wishes = useMemo(() => readWishes(location.pathname, location.search, Date.now()), []);
  const name = useSignal(wishes.streams[0]);
  useEffect(() => {
    shownZone.value = wishes.zone;
  }, []);
  useEffect(() => {
    document.title = name.value;
  }, [name.value]);
  return (
    <Embedded key={name.value} name={name.value} wishes={wishes}>
      {wishes.streams.length > 1 && (
        <select
          aria-label="Stream"
          value={name.value}
          onChange={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        >
          {wishes.streams.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      )}
    </Embedded>
  );
}
