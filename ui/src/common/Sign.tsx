/** A button that is only a picture; `label` says what it does. */
import { Icon, type IconName } from "./Icon";

export function Sign({ name, label, onClick }: { name: IconName; label: string; onClick: () => void }) {
  return (
    <button class="quiet icon" aria-label={label} title={label} onClick={onClick}>
      <Icon name={name} />
    </button>
  );
}
