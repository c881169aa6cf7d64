/** Where a stream is recorded to, and how long recordings are kept. */
import { Field } from "../../common/Field";
import { AmountField } from "./AmountField";
import { PERCENT, type Draft } from "./draft";
import type { Told } from "./refusals";
import type { Storage } from "./storages";
import { DURATIONS, formatAmount, SIZES, type Units } from "./units";

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  told: (field: Told) => string | undefined;
  storages: readonly Storage[];
  hint: string | undefined;
}

const NAMED = "@";

export function DvrFields({ draft, set, told, storages, hint }: Props) {
  const { recorded, reference } = draft;
  const storage = recorded === "reference" ? storages.find(({ name }) => name === reference) : undefined;
  const known = storages.some(({ name }) => name === reference);
  const limit = (value: number | undefined, units: Units): string =>
    storage === undefined || value === undefined ? "no limit" : formatAmount(value, units);
  return (
    <>
      <Field label="Recorded to" error={told("/dvr") ?? told("/dvr/reference")} hint={hint ?? storage?.root}>
        {(tied) => (
          <select
            {...tied}
            value={recorded === "reference" ? NAMED + reference : recorded}
            onChange={(event) => set(chosen(event.currentTarget.value))}
          >
            <option value="off">Not recorded</option>
            {storages.map(({ name }) => (
              <option key={name} value={NAMED + name}>
                Storage {name}
              </option>
            ))}
            {recorded === "reference" && !known && <option value={NAMED + reference}>Storage {reference}</option>}
            <option value="root">A directory of its own</option>
          </select>
        )}
      </Field>
      {recorded === "root" && (
        <Field label="Directory" error={told("/dvr/root")} hint="Absolute, on the server.">
          {(tied) => (
            <input
              {...tied}
              class="mono"
              spellcheck={false}
              placeholder="/storage"
              value={draft.root}
              onInput={(event) => set({ root: event.currentTarget.value })}
            />
          )}
        </Field>
      )}
      {recorded !== "off" && (
        <div class="limits">
          <AmountField
            label="Kept for"
            value={draft.expiration}
            units={DURATIONS}
            placeholder={limit(storage?.expiration, DURATIONS)}
            error={told("/dvr/expiration")}
            onChange={(expiration) => set({ expiration })}
          />
          <AmountField
            label="At most, of this stream"
            value={draft.storageLimit}
            units={SIZES}
            placeholder={limit(storage?.storage_limit, SIZES)}
            error={told("/dvr/storage_limit")}
            onChange={(storageLimit) => set({ storageLimit })}
          />
          <AmountField
            label="While the disk is below"
            value={draft.diskUsage}
            units={PERCENT}
            placeholder={limit(storage?.disk_usage_limit, PERCENT)}
            error={told("/dvr/disk_usage_limit")}
            onChange={(diskUsage) => set({ diskUsage })}
          />
          <p class="field-hint limits-hint">
            The oldest recordings are deleted first; locked ones never.{" "}
            {storage === undefined
              ? "Empty or 0: no limit."
              : `Empty: as the storage ${storage.name} says. 0: no limit.`}
          </p>
        </div>
      )}
    </>
  );
}

function chosen(value: string): Partial<Draft> {
  if (value === "off" || value === "root") return { recorded: value };
  return { recorded: "reference", reference: value.slice(NAMED.length) };
}
