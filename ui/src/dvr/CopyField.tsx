/** An address to take along: a field that is chosen when it is entered, and a button that copies it. */
import { useId, useRef, useState } from "preact/hooks";

import { copy } from "./copy";

export function CopyField({ label, text }: { label: string; text: string }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [said, say] = useState("");
  async function onCopy(): Promise<void> {
    const done = await copy(text);
    if (!done) input.current?.select();
    say(done ? "Copied" : "Chosen: Ctrl+C copies");
  }
  return (
    <div class="copy-field">
      <label for={id}>{label}</label>
      <input id={id} ref={input} readOnly value={text} onFocus={(event) => event.currentTarget.select()} />
      <button onClick={() => void onCopy()}>Copy</button>
      <span class="soft small" role="status">
        {said}
      </span>
    </div>
  );
}
