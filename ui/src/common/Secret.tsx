/** A field for a secret, which is shown only while one wants to see it. */
import { useState } from "preact/hooks";

interface Props {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string | undefined;
  value: string;
  onChange: (value: string) => void;
}

export function Secret({ onChange, ...field }: Props) {
  const [shown, setShown] = useState(false);
  const input = {
    ...field,
    autocomplete: "off",
    spellcheck: false,
    onInput: (event: { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.value),
  };
  return (
    <span class="secret">
      {shown ? <input key="field" type="text" {...input} /> : <input key="field" type="password" {...input} />}
      <button type="button" aria-pressed={shown} onClick={() => setShown(!shown)}>
        Show
      </button>
    </span>
  );
}
