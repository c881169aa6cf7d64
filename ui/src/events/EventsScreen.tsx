/** What is wrong now, and what has happened: the newest first, as it happens. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { readEvents } from "../api/events";
import { serverNow } from "../api/http";
import { amend, place } from "../app/router";
import { Icon } from "../common/Icon";
import { poll } from "../common/poll";
import { formatDay, shownZone, zoneTitle } from "../common/time";
import { Alarms } from "./Alarms";
import { choose, readChosen, spellChosen, streamsOf, type Chosen } from "./chosen";
import { ConfigWarnings } from "./ConfigWarnings";
import { EventRow } from "./EventRow";
import { FAMILIES, FAMILY_TITLES, type Family } from "./families";
import { joined, newer, type Events } from "./feed";

const EVERY_MS = 2000;

export function EventsScreen() {
  const events = useSignal<Events | null>(null);
  /** What was there when the list was stopped; `null` while it runs. */
  const stopped = useSignal<Events | null>(null);
  useEffect(
    () =>
      poll(async (abort) => {
        const before = events.peek() ?? [];
        events.value = joined(before, await readEvents(before[0]?.event_id ?? null, abort));
      }, EVERY_MS),
    [],
  );
  const all = stopped.value ?? events.value ?? [];
  const chosen = readChosen(place.value.query);
  return (
    <div class="events-screen">
      <h1 class="visually-hidden">Events and alarms</h1>
      <Alarms />
      <ConfigWarnings />
      <section aria-labelledby="events-title">
        <div class="row">
          <h2 id="events-title" class="grow">
            Events
          </h2>
          <ZoneSwitch />
          <button
            aria-pressed={stopped.value !== null}
            onClick={() => {
              stopped.value = stopped.value === null ? (events.value ?? []) : null;
            }}
          >
            <Icon name={stopped.value === null ? "pause" : "play"} />
            {stopped.value === null ? "Pause" : `Go on${waiting(newer(events.value ?? [], stopped.value))}`}
          </button>
        </div>
        <Choice chosen={chosen} streams={streamsOf(all)} />
        {events.value === null ? <p class="soft">Asking the server …</p> : <List events={choose(all, chosen)} />}
      </section>
    </div>
  );
}

const waiting = (count: number): string => (count === 0 ? "" : ` (${count} new)`);

function ZoneSwitch() {
  const utc = shownZone.value === "utc";
  return (
    <button
      aria-label={`Times are ${utc ? "UTC" : "of this browser's zone"}; show the other`}
      onClick={() => {
        shownZone.value = utc ? "local" : "utc";
      }}
    >
      {utc ? "UTC" : `Local time (${zoneTitle(serverNow(), "local")})`}
    </button>
  );
}

function Choice({ chosen, streams }: { chosen: Chosen; streams: string[] }) {
  const change = (part: Partial<Chosen>) => amend(spellChosen({ ...readChosen(place.peek().query), ...part }));
  const names = chosen.stream === "" || streams.includes(chosen.stream) ? streams : [chosen.stream, ...streams];
  return (
    <div class="row choice" role="group" aria-label="Which events">
      {FAMILIES.map((family) => (
        <button
          key={family}
          aria-pressed={chosen.families.includes(family)}
          onClick={() => change({ families: toggled(readChosen(place.peek().query).families, family) })}
        >
          {FAMILY_TITLES[family]}
        </button>
      ))}
      <select
        aria-label="Stream"
        value={chosen.stream}
        onChange={({ currentTarget }) => change({ stream: currentTarget.value })}
      >
        <option value="">All streams</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <input
        class="grow"
        type="search"
        aria-label="Search the events"
        placeholder="Search"
        value={chosen.words}
        onInput={({ currentTarget }) => change({ words: currentTarget.value })}
      />
    </div>
  );
}

function toggled(families: readonly Family[], family: Family): Family[] {
  return families.includes(family) ? families.filter((one) => one !== family) : [...families, family];
}

function List({ events }: { events: Events }) {
  if (events.length === 0) return <p class="soft card calm">No such event among the last.</p>;
  const days: [title: string, events: Events[number][]][] = [];
  for (const event of events) {
    const title = formatDay(event.utc_ms, shownZone.value);
    const last = days.at(-1);
    if (last?.[0] === title) last[1].push(event);
    else days.push([title, [event]]);
  }
  return (
    <div class="card event-list">
      {days.map(([title, some]) => (
        <section key={title} aria-label={title}>
          <h3>{title}</h3>
          <ol>
            {some.map((event) => (
              <EventRow key={event.event_id} event={event} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}
