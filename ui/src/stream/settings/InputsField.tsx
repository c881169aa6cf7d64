/** The inputs of a stream, in the order in which they are tried; `publish://` lets an encoder send. */
import { useEffect, useId } from "preact/hooks";

import type { Input } from "../../api/types";
import { Icon } from "../../common/Icon";
import { newInput, PUBLISH, type InputDraft } from "./draft";
import { hintOf, kinds, loadKinds } from "./kinds";

interface Props {
  inputs: readonly InputDraft[];
  /** What they do now. */
  running: readonly Input[];
  hint?: string | undefined;
  /** Of the list as a whole. */
  error?: string | undefined;
  /** Of an input, by its place. */
  errors: ReadonlyMap<number, string>;
  onChange: (inputs: readonly InputDraft[]) => void;
}

export function InputsField({ inputs, running, hint, error, errors, onChange }: Props) {
  const told = useId();
  const examples = `${told}-examples`;
  useEffect(() => void loadKinds(), []);
  const replace = (index: number, url: string) =>
    onChange(inputs.map((one, at) => (at === index ? { ...one, url } : one)));
  const published = inputs.some(({ url }) => url === PUBLISH);
  return (
    <fieldset class="inputs" aria-describedby={told}>
      <legend>Inputs</legend>
      <ol>
        {inputs.map((input, index) => (
          <li key={input.id}>
            <div class="input-line">
              {input.url === PUBLISH ? (
                <span class="grow input-published">
                  <code>{PUBLISH}</code> <span class="soft small">an encoder sends it</span>
                </span>
              ) : (
                <input
                  class="grow mono"
                  aria-label={`Input ${index + 1}`}
                  aria-invalid={error !== undefined || errors.has(index)}
                  aria-describedby={errors.has(index) ? `${told}-${index}` : told}
                  spellcheck={false}
                  autocomplete="off"
                  placeholder={kinds.value[0]?.example ?? "udp://239.0.0.1:1234"}
                  list={examples}
                  value={input.url}
                  onInput={(event) => replace(index, event.currentTarget.value)}
                />
              )}
              <button
                type="button"
                class="quiet icon"
                aria-label={`Input ${index + 1}: try earlier`}
                disabled={index === 0}
                onClick={() => onChange(swapped(inputs, index - 1))}
              >
                ↑
              </button>
              <button
                type="button"
                class="quiet icon"
                aria-label={`Input ${index + 1}: try later`}
                disabled={index === inputs.length - 1}
                onClick={() => onChange(swapped(inputs, index))}
              >
                ↓
              </button>
              <button
                type="button"
                class="quiet icon"
                aria-label={`Input ${index + 1}: remove`}
                onClick={() => onChange(inputs.filter((_, at) => at !== index))}
              >
                <Icon name="close" />
              </button>
            </div>
            {errors.has(index) && (
              <div id={`${told}-${index}`} class="field-error" role="alert">
                {errors.get(index)}
              </div>
            )}
            <Now input={running.find(({ url }) => url === input.url)} />
          </li>
        ))}
      </ol>
      <datalist id={examples}>
        {kinds.value.map(({ example, description }) => (
          <option key={example} value={example}>
            {description}
          </option>
        ))}
      </datalist>
      <div class="row">
        <button type="button" onClick={() => onChange([...inputs, newInput("")])}>
          <Icon name="plus" /> Add an input
        </button>
        {!published && (
          <button type="button" onClick={() => onChange([...inputs, newInput(PUBLISH)])}>
            <Icon name="plus" /> Allow publishing
          </button>
        )}
      </div>
      <div
        id={told}
        class={error === undefined ? "field-hint" : "field-error"}
        role={error === undefined ? undefined : "alert"}
      >
        {error ?? hint ?? hintOf(kinds.value)}
      </div>
    </fieldset>
  );
}

interface InputStats {
  active?: boolean;
  state?: string;
  reason?: string | null;
}

function Now({ input }: { input: Input | undefined }) {
  const stats = input?.stats as InputStats | null | undefined;
  if (!stats?.state) return null;
  return (
    <div class="soft small anywhere">
      {stats.state}
      {stats.reason ? `: ${stats.reason}` : ""}
    </div>
  );
}

/** The line at `index` and the one after it change places. */
function swapped(inputs: readonly InputDraft[], index: number): InputDraft[] {
  const [one, other] = [inputs[index], inputs[index + 1]];
  if (one === undefined || other === undefined) return [...inputs];
  return [...inputs.slice(0, index), other, one, ...inputs.slice(index + 2)];
}
