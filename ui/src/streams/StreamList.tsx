/** The list itself, of which only what is on the screen is drawn: a table, or cards where the screen is narrow. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { narrow } from "../common/narrow";
import { COLUMNS, type Choice, type Column } from "./choice";
import { slice, type Slice } from "./slice";
import { StreamCard, StreamRow } from "./StreamLine";

/** Heights in rem, as in streams.css. */
const ROW = 3.5;
const CARD = 5.75;

interface Props {
  names: readonly string[];
  choice: Choice;
  onSort: (column: Column) => void;
}

export function StreamList(props: Props) {
  return narrow.value ? <Cards names={props.names} /> : <Table {...props} />;
}

function Table({ names, choice, onSort }: Props) {
  const [body, { first, last }, line] = useSlice<HTMLTableSectionElement>(names.length, ROW);
  return (
    <table class="streams card" aria-rowcount={names.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
          <th class="column-picture">
            <span class="visually-hidden">Picture</span>
          </th>
          <Title column="name" {...{ choice, onSort }} />
          <Title column="state" {...{ choice, onSort }} />
          <Title column="bitrate" {...{ choice, onSort }} />
          <th class="column-codecs">Tracks</th>
          <Title column="depth" {...{ choice, onSort }} />
          <Title column="bytes" {...{ choice, onSort }} />
          <Title column="viewers" {...{ choice, onSort }} />
          <Title column="uptime" {...{ choice, onSort }} />
        </tr>
      </thead>
      <tbody ref={body}>
        <Spacer key=" before" height={first * line} />
        {names.slice(first, last).map((name, index) => (
          <StreamRow key={`=${name}`} name={name} at={first + index} />
        ))}
        <Spacer key=" after" height={(names.length - last) * line} />
      </tbody>
    </table>
  );
}

function Spacer({ height }: { height: number }) {
  return <tr class="spacer" aria-hidden="true" style={{ height: `${height}px` }} hidden={height === 0} />;
}

function Title({ column, choice, onSort }: { column: Column; choice: Choice; onSort: (column: Column) => void }) {
  const sorted = choice.column === column;
  const numbers = column !== "name" && column !== "state";
  return (
    <th
      class={`column-${column}${numbers ? " num" : ""}`}
      aria-sort={sorted ? (choice.descending ? "descending" : "ascending") : "none"}
    >
      <button class="quiet sorting" onClick={() => onSort(column)}>
        {COLUMNS[column]}
        {sorted && <span aria-hidden="true">{choice.descending ? "↓" : "↑"}</span>}
      </button>
    </th>
  );
}

function Cards({ names }: { names: readonly string[] }) {
  const [list, { first, last }, line] = useSlice<HTMLUListElement>(names.length, CARD);
  return (
    <ul
      ref={list}
      class="stream-cards"
      style={{ paddingTop: `${first * line}px`, paddingBottom: `${(names.length - last) * line}px` }}
    >
      {names.slice(first, last).map((name, index) => (
        <StreamCard key={name} name={name} at={first + index} of={names.length} />
      ))}
    </ul>
  );
}

/** What of the list is on the screen, kept true while it is scrolled; `line` in px. */
function useSlice<E extends HTMLElement>(count: number, rem: number) {
  const element = useRef<E>(null);
  const line = rem * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const [found, setFound] = useState<Slice>(() => slice(count, line, 0, innerHeight));
  useLayoutEffect(() => {
    const look = () => {
      if (element.current === null) return;
      const next = slice(count, line, -element.current.getBoundingClientRect().top, innerHeight);
      setFound((before) => (before.first === next.first && before.last === next.last ? before : next));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [count, line]);
  const last = Math.min(found.last, count);
  return [element, { first: Math.min(found.first, last), last }, line] as const;
}
