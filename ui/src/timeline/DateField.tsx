/**
 * A moment as text: shows where one is, and takes any date that one types (common/parse-moment.ts).
 *
 *     focus            the text stands still
 *     Enter, leaving   goes there, if something was typed; what can't be read stays, with the reason
 *     Escape           back to where one is
 *     another window   nothing is lost: what was typed is still there afterwards
 */
import type { ReadonlySignal } from "@preact/signals";
import { useId, useRef, useState } from "preact/hooks";

import { formatMoment, parseMoment, zoneTitle, type Precision, type Zone } from "../common/time";

interface Props {
  value: ReadonlySignal<number | null>;
  zone: ReadonlySignal<Zone>;
  onChange: (ms: number) => void;
  label: string;
  /** The server's; without it "now" is this browser's. */
  now?: ReadonlySignal<number>;
  precision?: Precision;
}

const EXAMPLES = "2026-11-20 17:45:03, 20.11.2026 17:45, 5:45 pm, yesterday 20:00, -5m, now";

export function DateField({ value, zone, onChange, label, now, precision = "second" }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState(false);
  /** Something is typed that has not been taken. */
  const dirty = useRef(false);
  const at = value.value;
  const shown = at === null ? "" : formatMoment(at, zone.value, precision);

  function leave(): void {
    dirty.current = false;
    setTyped(null);
    setWrong(false);
  }

  /** Whether the field may be left. */
  function take(): boolean {
    const ms = parseMoment(input.current?.value ?? "", zone.value, now?.peek() ?? Date.now());
    setWrong(ms === null);
    if (ms === null) return false;
    onChange(ms);
    leave();
    return true;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      leave();
      input.current?.blur();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (take()) input.current?.blur();
    }
  }

  function onBlur(): void {
    // The window lost the focus, not the field: it comes back to what is half typed.
    if (document.activeElement === input.current) return;
    if (dirty.current) take();
    else leave();
  }

  return (
    <div class="date-field">
      <label for={id} class="visually-hidden">
        {label}
      </label>
      <input
        id={id}
        ref={input}
        class="num"
        value={typed ?? shown}
        placeholder="date and time"
        title={`${label}. Enter goes there: ${EXAMPLES}`}
        autocomplete="off"
        spellcheck={false}
        enterkeyhint="go"
        aria-invalid={wrong}
        aria-describedby={wrong ? `${id}-wrong` : undefined}
        onFocus={(event) => {
          if (dirty.current) return;
          setTyped(shown);
          event.currentTarget.select();
        }}
        onInput={(event) => {
          dirty.current = true;
          setTyped(event.currentTarget.value);
          setWrong(false);
        }}
        onKeyDown={onKeyDown}
        onBlur={onBlur}
      />
      <span class="soft small num">{zoneTitle(at ?? Date.now(), zone.value)}</span>
      {wrong && (
        <div id={`${id}-wrong`} class="field-error" role="alert">
          This is no date that can be read. Try {EXAMPLES}
        </div>
      )}
    </div>
  );
}
