/** A number and its unit. */
import { Field } from "../../common/Field";
import type { Amount, Units } from "./units";

interface Props {
  label: string;
  value: Amount;
  units: Units;
  hint?: string | undefined;
  error?: string | undefined;
  placeholder?: string | undefined;
  onChange: (value: Amount) => void;
}

export function AmountField({ label, value, units, hint, error, placeholder, onChange }: Props) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(tied) => (
        <span class="amount">
          <input
            {...tied}
            inputMode="decimal"
            autocomplete="off"
            placeholder={placeholder}
            value={value.text}
            onInput={(event) => onChange({ ...value, text: event.currentTarget.value })}
          />
          {units.length === 1 ? (
            <span class="soft">{units[0]?.[1]}</span>
          ) : (
            <select
              aria-label={`${label}: unit`}
              value={String(value.unit)}
              onChange={(event) => onChange({ ...value, unit: Number(event.currentTarget.value) })}
            >
              {units.map(([unit, title]) => (
                <option key={unit} value={String(unit)}>
                  {title}
                </option>
              ))}
            </select>
          )}
        </span>
      )}
    </Field>
  );
}
