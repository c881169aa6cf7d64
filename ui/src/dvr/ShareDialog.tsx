/** A signed link of a part: whoever has it may watch that part, until it expires or is revoked. */
import { useState } from "preact/hooks";

import { ApiError, inPath, request } from "../api/http";
import type { Link, Span } from "../api/types";
import { Dialog } from "../common/Dialog";
import { Field } from "../common/Field";
import { formatMoment, formatSpan, shownZone } from "../common/time";
import { CopyField } from "./CopyField";
import { FORMATS, orderOf, TERMS } from "./links";

interface Props {
  name: string;
  span: Span;
  onClose: () => void;
}

export function ShareDialog({ name, span, onClose }: Props) {
  const [made, setMade] = useState<Link>();
  const [problem, setProblem] = useState<ApiError>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem(undefined);
    try {
      setMade(await request<Link>("POST", `streams/${inPath(name)}/dvr/links`, orderOf(span, form)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  }

  const which = (
    <p>
      {formatSpan(span[1] - span[0])} of <bdi>{name}</bdi> from{" "}
      <span class="num">{formatMoment(span[0], shownZone.value)}</span>.
    </p>
  );
  if (made !== undefined) {
    return (
      <Dialog title="The link" onClose={onClose}>
        {which}
        {Object.entries(made.urls).map(([format, url]) => (
          <CopyField key={format} label={titleOf(format)} text={`${location.origin}${url}`} />
        ))}
        <p class="soft small">
          Good until {formatMoment(made.expires_at * 1000, shownZone.value, "minute")}
          {made.max_uses !== null && `, ${made.max_uses} times`}. It can be revoked under Sharing.
        </p>
        <div class="dialog-buttons">
          <button class="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    );
  }
  const told = (problem?.of("/max_uses") ?? problem?.of("/title")) ? undefined : problem?.message;
  return (
    <Dialog title="Share this part" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {which}
        <p class="soft small">Whoever has the link may see this part, and nothing else.</p>
        <Field label="Title" hint="For your own list" error={problem?.of("/title")}>
          {(tied) => <input {...tied} name="title" maxLength={200} autocomplete="off" />}
        </Field>
        <fieldset class="share-formats">
          <legend>As</legend>
          {FORMATS.map(([format, title], index) => (
            <label key={format}>
              <input type="checkbox" name="formats" value={format} defaultChecked={index < 2} /> {title}
            </label>
          ))}
        </fieldset>
        <div class="share-limits">
          <Field label="Good for">
            {(tied) => (
              <select {...tied} name="expires_in">
                {TERMS.map(([seconds, title]) => (
                  <option key={seconds} value={seconds} selected={seconds === 604_800}>
                    {title}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="How often" hint="Empty: as often as wanted" error={problem?.of("/max_uses")}>
            {(tied) => <input {...tied} name="max_uses" type="number" min={1} max={1_000_000} />}
          </Field>
        </div>
        {told !== undefined && (
          <p class="field-error" role="alert">
            {told}
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy}>
            Make the link
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const titleOf = (format: string): string => FORMATS.find(([one]) => one === format)?.[1] ?? format;
