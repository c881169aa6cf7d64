/**
 * A moment as text: shows where one is, and takes any date that one types (common/parse-moment.ts).
 *
 *     focus: the text stands still    Enter: goes there    Escape, blur: back to where one is
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
  const at = value.value;
  const shown = at === null ? "" : formatMoment(at, zone.value, precision);

  function leave(): void {
    setTyped(null);
    setWrong(false);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      leave();
      input.current?.blur();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const ms = parseMoment(input.current?.value ?? "", zone.value, now?.peek() ?? Date.now());
      setWrong(ms === null);
      if (ms === null) return;
      onChange(ms);
      leave();
      input.current?.blur();
    }
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
          setTyped(shown);
          event.currentTarget.select();
        }}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setWrong(false);
        }}
        onKeyDown={onKeyDown}
        onBlur={leave}
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
