/** A labelled field with a hint, and with what the server has said of it. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Props {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  /** Given what ties the field to its label and its error. */
  children: (tied: {
    id: string;
    "aria-invalid": boolean;
    "aria-describedby": string | undefined;
  }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: Props) {
  const id = useId();
  const told = error !== undefined || hint !== undefined ? `${id}-told` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-invalid": error !== undefined, "aria-describedby": told })}
      {told !== undefined && (
        <div
          id={told}
          class={error === undefined ? "field-hint" : "field-error"}
          role={error === undefined ? undefined : "alert"}
        >
          {error ?? hint}
        </div>
      )}
    </div>
  );
}
