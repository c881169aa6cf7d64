/** The settings of a stream: shown, changed, taken back; and its restart. */
import { useEffect, useState } from "preact/hooks";
import { useSignal } from "@preact/signals";

import { account, ApiError, inPath, mayEdit, request } from "../../api/http";
import type { Input, Stream } from "../../api/types";
import { say, sayWhy } from "../../app/toasts";
import { poll } from "../../common/poll";
import { changes, isSame, toDraft, type Draft } from "./draft";
import { inFile, originOf, ownDvr, type Part } from "./origin";
import { OriginCard } from "./OriginCard";
import { NONE, refusals } from "./refusals";
import { readStorages, type Storage } from "./storages";
import { StreamForm } from "./StreamForm";
import { Unsaved } from "./Unsaved";

interface Settings {
  stream: Stream;
  disk: Part;
  override: Part;
}

const INPUTS_MS = 5000;

export function SettingsTab({ name }: { name: string }) {
  const [settings, setSettings] = useState<Settings>();
  const [draft, setDraft] = useState<Draft>();
  const [storages, setStorages] = useState<readonly Storage[]>([]);
  const [told, setTold] = useState(NONE);
  const [busy, setBusy] = useState(false);
  const running = useSignal<readonly Input[]>([]);

  async function load(): Promise<void> {
    const read = await readSettings(name);
    setSettings(read);
    setDraft(draftOf(read));
    setTold(NONE);
  }

  const signedIn = account.value !== null;
  useEffect(() => {
    if (!signedIn || settings !== undefined) return;
    void load().catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) sayWhy(error); // which the whole screen says
    });
    void readStorages().then(setStorages).catch(sayWhy);
  }, [signedIn]);

  useEffect(
    () =>
      poll(async (abort) => {
        if (account.value === null) return;
        running.value = (await request<Stream>("GET", `streams/${inPath(name)}`, undefined, abort)).inputs ?? [];
      }, INPUTS_MS),
    [name],
  );

  if (settings === undefined || draft === undefined) return null;
  const before = draftOf(settings);
  const dirty = !isSame(before, draft);
  const origin = originOf(settings.disk, settings.override);

  async function save(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (draft === undefined || busy) return;
    setBusy(true);
    try {
      await request("PUT", `streams/${inPath(name)}`, changes(before, draft));
      await load();
      say("Saved.");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 401) setTold(refusals(error));
    } finally {
      setBusy(false);
    }
  }

  const hintOf = (key: string): string | undefined =>
    origin.kind === "file" && origin.changed.includes(key)
      ? `Changed here; the file says: ${inFile(key, settings.disk)}`
      : undefined;

  return (
    <form class="settings" onSubmit={(event) => void save(event)}>
      <OriginCard name={name} origin={origin} stream={settings.stream} onChanged={load} />
      <StreamForm
        name={name}
        draft={draft}
        onChange={setDraft}
        refusals={told}
        storages={storages}
        running={running.value}
        hintOf={hintOf}
        readOnly={!mayEdit.value}
      />
      {mayEdit.value && (
        <div class={dirty ? "save-bar dirty" : "save-bar"}>
          <button class="primary" disabled={!dirty || busy}>
            {busy ? "Saving…" : "Save"}
          </button>
          <button
            type="button"
            disabled={!dirty || busy}
            onClick={() => {
              setDraft(before);
              setTold(NONE);
            }}
          >
            Undo changes
          </button>
          <span class="soft small" role="status">
            {dirty ? "Not saved yet." : ""}
          </span>
        </div>
      )}
      <Unsaved when={dirty} />
    </form>
  );
}

function draftOf({ stream, disk, override }: Settings): Draft {
  return toDraft(stream, ownDvr(disk, override));
}

async function readSettings(name: string): Promise<Settings> {
  const path = `streams/${inPath(name)}`;
  const [stream, disk, override] = await Promise.all([
    request<Stream>("GET", path),
    request<Part>("GET", `${path}?part=config_on_disk`),
    request<Part>("GET", `${path}?part=config_override`),
  ]);
  return { stream, disk, override };
}
