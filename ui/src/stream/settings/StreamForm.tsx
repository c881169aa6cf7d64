/** The settings of a stream that have a field; the others are kept as they are. */
import type { ComponentChildren } from "preact";

import type { Input } from "../../api/types";
import { rtmpAddress, useListeners } from "../../api/server";
import { Field } from "../../common/Field";
import { Secret } from "../../common/Secret";
import { AmountField } from "./AmountField";
import type { Draft } from "./draft";
import { DvrFields } from "./DvrFields";
import { InputsField } from "./InputsField";
import type { Refusals, Told } from "./refusals";
import type { Storage } from "./storages";

export interface StreamFormProps {
  name: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
  refusals: Refusals;
  storages: readonly Storage[];
  running: readonly Input[];
  /** What is said below a field, by its key in the API. */
  hintOf: (key: string) => string | undefined;
  readOnly: boolean;
  /** What comes before the fields. */
  children?: ComponentChildren;
}

const SECONDS = [[1000, "seconds"]] as const;

export function StreamForm(props: StreamFormProps) {
  const { name, draft, onChange, refusals, hintOf, readOnly } = props;
  const set = (change: Partial<Draft>) => onChange({ ...draft, ...change });
  const told = (field: Told) => refusals.fields.get(field);
  const published = draft.inputs.some(({ url }) => url.startsWith("publish://"));
  return (
    <fieldset class="stream-form" disabled={readOnly}>
      {refusals.others.map((title) => (
        <p key={title} class="form-problem" role="alert">
          {title}
        </p>
      ))}
      <section class="card">
        <h2>Stream</h2>
        {props.children}
        <Field label="Title" error={told("/title")} hint={hintOf("title")}>
          {(tied) => (
            <input
              {...tied}
              dir="auto"
              value={draft.title}
              onInput={(event) => set({ title: event.currentTarget.value })}
            />
          )}
        </Field>
        <InputsField
          inputs={draft.inputs}
          running={props.running}
          error={told("/inputs")}
          errors={refusals.inputs}
          hint={hintOf("inputs")}
          onChange={(inputs) => set({ inputs })}
        />
        {published && (
          <>
            <Field
              label="Password to publish"
              error={told("/password")}
              hint={hintOf("password") ?? "Empty: whoever reaches the server may publish."}
            >
              {(tied) => <Secret {...tied} value={draft.password} onChange={(password) => set({ password })} />}
            </Field>
            <PublishTo name={name} />
          </>
        )}
        <label class="check">
          <input
            type="checkbox"
            checked={draft.disabled}
            onChange={(event) => set({ disabled: event.currentTarget.checked })}
          />
          Switched off: nothing is taken from its inputs; what is recorded can be watched
        </label>
      </section>
      <section class="card">
        <h2>Recording</h2>
        <DvrFields draft={draft} set={set} told={told} storages={props.storages} hint={hintOf("dvr")} />
      </section>
      <section class="card">
        <h2>Pictures and segments</h2>
        <Field
          label="Thumbnails"
          error={told("/thumbnails")}
          hint={
            hintOf("thumbnails") ??
            "Small pictures for lists and the timeline. Stored ones need a little of the processor, always."
          }
        >
          {(tied) => (
            <select
              {...tied}
              value={draft.thumbnails}
              onChange={(event) => set({ thumbnails: event.currentTarget.value as Draft["thumbnails"] })}
            >
              <option value="off">Off</option>
              <option value="on">Made and stored</option>
              <option value="ondemand">Made when asked for</option>
            </select>
          )}
        </Field>
        <AmountField
          label="Segments of"
          value={draft.segment}
          units={SECONDS}
          placeholder="5"
          error={told("/segment_duration")}
          hint={hintOf("segment_duration") ?? "From 1 to 15 s. Another duration interrupts the stream for a moment."}
          onChange={(segment) => set({ segment })}
        />
      </section>
    </fieldset>
  );
}

/** Where an encoder has to send to. */
function PublishTo({ name }: { name: string }) {
  const shown = name === "" ? "NAME" : name;
  const listeners = useListeners();
  const rtmp = listeners === null ? null : rtmpAddress(listeners, location.hostname, shown);
  return (
    <p class="small soft anywhere">
      {rtmp === null ? (
        "By HTTP"
      ) : (
        <>
          By RTMP to <code>{rtmp}</code>, by HTTP
        </>
      )}{" "}
      (MPEG-TS) with PUT to <code>{`${location.origin}/${shown}/mpegts`}</code>
    </p>
  );
}
