/** A stream that does not exist yet. */
import { useEffect, useState } from "preact/hooks";

import { ApiError, inPath, mayEdit, request } from "../../api/http";
import type { Stream } from "../../api/types";
import { address, go, place } from "../../app/router";
import { say, sayWhy } from "../../app/toasts";
import { Field } from "../../common/Field";
import { useTitle } from "../../common/title";
import { changes, newInput, toDraft, type Draft } from "./draft";
import { NONE, refusals, type Refusals } from "./refusals";
import { readStorages, type Storage } from "./storages";
import { StreamForm } from "./StreamForm";
import { Unsaved } from "./Unsaved";

const NOTHING = toDraft({}, {});

export function AddStream() {
  useTitle("Add a stream");
  const [name, setName] = useState(place.value.query.get("name") ?? "");
  const [draft, setDraft] = useState<Draft>(() => ({ ...NOTHING, inputs: [newInput("")] }));
  const [storages, setStorages] = useState<readonly Storage[]>([]);
  const [told, setTold] = useState(NONE);
  const [busy, setBusy] = useState(false);
  const [saved, setSaved] = useState(false);

  useEffect(() => {
    void readStorages()
      .then((found) => {
        setStorages(found);
        const first = found[0];
        if (first !== undefined) setDraft((draft) => ({ ...draft, recorded: "reference", reference: first.name }));
      })
      .catch(sayWhy);
  }, []);
  useEffect(() => {
    if (saved) go(["streams", name, "settings"]);
  }, [saved]);

  async function save(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      const problem = (await exists(name)) ? "There is a stream of this name already." : impossible(name);
      if (problem !== undefined) {
        setTold(aboutName(problem));
        return;
      }
      const wanted = { ...draft, inputs: draft.inputs.filter(({ url }) => url.trim() !== "") };
      if (wanted.inputs.length > 0) setDraft(wanted);
      await request("PUT", `streams/${inPath(name)}`, changes(NOTHING, wanted));
      say("The stream was added.");
      setSaved(true);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 401) setTold(refusals(error));
    } finally {
      setBusy(false);
    }
  }

  if (!mayEdit.value) return <p>Your account may only look.</p>;
  const dirty = !saved && (name !== "" || draft.title !== "" || draft.inputs.some(({ url }) => url !== ""));
  return (
    <form class="settings" onSubmit={(event) => void save(event)}>
      <h1>Add a stream</h1>
      <StreamForm
        name={name}
        draft={draft}
        onChange={setDraft}
        refusals={told}
        storages={storages}
        running={[]}
        hintOf={() => undefined}
        readOnly={busy}
      >
        <Field
          label="Name"
          error={told.fields.get("name")}
          hint="A part of its addresses; it may have slashes, as in news/hd."
        >
          {(tied) => (
            <input
              {...tied}
              required
              class="mono"
              spellcheck={false}
              autocapitalize="none"
              autocomplete="off"
              value={name}
              onInput={(event) => setName(event.currentTarget.value.trim())}
            />
          )}
        </Field>
      </StreamForm>
      <div class="save-bar dirty">
        <button class="primary" disabled={busy}>
          {busy ? "Adding…" : "Add"}
        </button>
        <a class="button" href={address(["streams"])}>
          Cancel
        </a>
      </div>
      <Unsaved when={dirty} />
    </form>
  );
}

/** Whether something configures it or makes it run; of one that was removed, only recordings are left: it may come back. */
async function exists(name: string): Promise<boolean> {
  if (impossible(name) !== undefined) return false;
  const path = `streams?select=name,named_by,stats.running&name=${encodeURIComponent(name)}`;
  const { streams } = await request<{ streams: Pick<Stream, "name" | "named_by" | "stats">[] }>("GET", path);
  return streams.some((one) => one.name === name && (one.named_by === "config" || one.stats.running));
}

/** What can't even be sent: browsers resolve such parts themselves. All else the server judges. */
function impossible(name: string): string | undefined {
  const bad = name.split("/").some((part) => part === "" || part === "." || part === "..");
  return bad ? "No part of a name may be empty, '.' or '..'." : undefined;
}

function aboutName(title: string): Refusals {
  return { ...NONE, fields: new Map([["name", title]]) };
}
