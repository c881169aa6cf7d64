/** Above what is shown: it is old, because the server does not answer. */
import { formatClock, shownZone } from "./time";
import { Icon } from "./Icon";

export function Trouble({ since, title }: { since: number; title: string }) {
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      <span>
        {title.charAt(0).toUpperCase() + title.slice(1)} since {formatClock(since, shownZone.value)}. What is shown is
        from before; the page keeps trying.
      </span>
    </div>
  );
}
