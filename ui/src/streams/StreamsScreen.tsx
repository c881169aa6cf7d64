/** All streams: what they do now, found by name, state or figure. */
import { useEffect, useRef } from "preact/hooks";
import { useSignal, useSignalEffect } from "@preact/signals";

import { mayEdit } from "../api/http";
import { address, amend, place } from "../app/router";
import { Icon } from "../common/Icon";
import { useTitle } from "../common/title";
import { Trouble } from "../common/Trouble";
import {
  choose,
  COLUMNS,
  readChoice,
  SHOWN,
  turned,
  writeChoice,
  type Choice,
  type Column,
  type Shown,
} from "./choice";
import { rows, trouble, watchStreams } from "./list";
import { NoStreams } from "./NoStreams";
import { StreamList } from "./StreamList";
import { Totals } from "./Totals";

/** The address follows typing when it rests: browsers refuse more than a few changes a second. */
const ADDRESS_MS = 250;

export function StreamsScreen() {
  useTitle("Streams");
  const choice = useSignal(readChoice(place.value.query));
  const search = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  useEffect(watchStreams, []);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => focusBySlash(search), []);
  useSignalEffect(() => {
    const { path, query } = place.value;
    if (path[0] === "streams" && timer.current === undefined) choice.value = readChoice(query);
  });

  function change(next: Choice): void {
    choice.value = next;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      timer.current = undefined;
      amend(writeChoice(next));
    }, ADDRESS_MS);
  }

  const all = rows.value;
  if (all === null) return trouble.value === null ? <Waiting /> : <Trouble {...trouble.value} />;
  const shown = choose(all, choice.value);
  return (
    <>
      <h1 class="visually-hidden">Streams</h1>
      {trouble.value !== null && <Trouble {...trouble.value} />}
      {all.length === 0 ? (
        <NoStreams />
      ) : (
        <div class={trouble.value === null ? undefined : "stale"}>
          <Totals rows={all} />
          <div class="toolbar" role="search">
            <label class="search grow">
              <Icon name="search" />
              <span class="visually-hidden">Search streams</span>
              <input
                ref={search}
                type="search"
                placeholder="Name, title, codec"
                value={choice.value.q}
                onInput={(event) => change({ ...choice.value, q: event.currentTarget.value })}
              />
              <kbd aria-hidden="true">/</kbd>
            </label>
            <select
              aria-label="Which streams"
              value={choice.value.show}
              onChange={(event) => change({ ...choice.value, show: event.currentTarget.value as Shown })}
            >
              {Object.entries(SHOWN).map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
            <Sorting choice={choice.value} onChange={change} />
            {mayEdit.value && (
              <a class="button primary" href={address(["add-stream"])}>
                <Icon name="plus" /> Add
              </a>
            )}
          </div>
          {shown.length > 0 ? (
            <StreamList
              names={shown.map(({ name }) => name)}
              choice={choice.value}
              onSort={(column) => change(turned(choice.value, column))}
            />
          ) : (
            <p class="nothing card" role="status">
              None of {all.length} streams is like that.{" "}
              <button onClick={() => change({ ...choice.value, q: "", show: "all" })}>Show all</button>
            </p>
          )}
          <p class="visually-hidden" role="status">
            {shown.length === all.length ? "" : `${shown.length} of ${all.length} streams`}
          </p>
        </div>
      )}
    </>
  );
}

/** Of a narrow screen, whose cards have no column titles to click on. */
function Sorting({ choice, onChange }: { choice: Choice; onChange: (choice: Choice) => void }) {
  return (
    <select
      class="narrow-only"
      aria-label="Order"
      value={choice.column}
      onChange={(event) => {
        const column = event.currentTarget.value as Column;
        onChange({
          ...choice,
          column,
          descending: turned({ ...choice, column: "name" }, column).descending && column !== "name",
        });
      }}
    >
      {Object.entries(COLUMNS).map(([value, title]) => (
        <option key={value} value={value}>
          By {title.toLowerCase()}
        </option>
      ))}
    </select>
  );
}

function Waiting() {
  return (
    <p class="soft" role="status">
      Asking the server…
    </p>
  );
}

function focusBySlash(search: { current: HTMLInputElement | null }): () => void {
  const press = (event: KeyboardEvent) => {
    const typing = (event.target as Element).closest?.("input, textarea, select, dialog") != null;
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.current?.select();
    search.current?.focus();
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}
