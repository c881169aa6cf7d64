/** Who watches a stream now; who may edit can send them away. */
import { useEffect, useState } from "preact/hooks";
import { useSignal } from "@preact/signals";

import { account, mayEdit, request, serverNow } from "../api/http";
import { say } from "../app/toasts";
import { formatBytes } from "../common/bytes";
import { Confirm } from "../common/Confirm";
import { Name } from "../common/Name";
import { poll } from "../common/poll";
import { formatDepth } from "../streams/figures";

interface Session {
  id: string;
  proto: string;
  ip: string;
  user_id: string | null;
  user_agent: string;
  bytes: number;
  opened_at: number;
  dvr: boolean;
}

const EVERY_MS = 3000;
const SHOWN = 500;
/** Who looks at pictures does not watch: this page itself does. */
const PICTURES = "jpeg,mp4";

export function ViewersTab({ name }: { name: string }) {
  const sessions = useSignal<readonly Session[] | null>(null);
  const count = useSignal(0);
  const [chosen, setChosen] = useState<Session>();

  useEffect(
    () =>
      poll(async (abort) => {
        if (account.value === null) return;
        const path = `sessions?name=${encodeURIComponent(name)}&proto_ne=${PICTURES}&sort=-opened_at&limit=${SHOWN}`;
        const page = await request<{ sessions: Session[]; estimated_count: number }>("GET", path, undefined, abort);
        sessions.value = page.sessions;
        count.value = page.estimated_count;
      }, EVERY_MS),
    [name],
  );

  async function sendAway({ id, ip }: Session): Promise<void> {
    await request("DELETE", `sessions/${id}`);
    sessions.value = sessions.value?.filter((session) => session.id !== id) ?? null;
    say(`${ip} was sent away.`);
  }

  const shown = sessions.value;
  if (shown === null) return null;
  if (shown.length === 0) return <p class="soft">Nobody watches this stream now.</p>;
  return (
    <>
      <div class="card scrolled" tabIndex={0} role="region" aria-label="Viewers">
        <table class="viewers">
          <thead>
            <tr>
              <th>User</th>
              <th>Address</th>
              <th>Watches</th>
              <th class="num">For</th>
              <th class="num">Sent</th>
              <th>With</th>
              {mayEdit.value && (
                <th>
                  <span class="visually-hidden">Send away</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {shown.map((session) => (
              <tr key={session.id}>
                <td class="clipped">
                  <Name of={session.user_id ?? "–"} />
                </td>
                <td>{session.ip}</td>
                <td>
                  {session.dvr ? "archive" : "live"} <span class="soft">{session.proto}</span>
                </td>
                <td class="num">{formatDepth(Math.max(1, Math.floor((serverNow() - session.opened_at) / 1000)))}</td>
                <td class="num">{formatBytes(session.bytes)}</td>
                <td class="soft small clipped" title={session.user_agent}>
                  {session.user_agent}
                </td>
                {mayEdit.value && (
                  <td>
                    <button class="quiet danger" onClick={() => setChosen(session)}>
                      Send away
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {count.value > shown.length && (
        <p class="soft small">
          The newest {shown.length} of {count.value}.
        </p>
      )}
      {chosen !== undefined && (
        <Confirm
          title="Send this viewer away?"
          action="Send away"
          danger
          onClose={() => setChosen(undefined)}
          onConfirm={() => sendAway(chosen)}
        >
          <p class="anywhere">
            <Name of={chosen.user_id ?? chosen.ip} /> is cut off at once, and refused until the permission would have
            been asked for again.
          </p>
        </Confirm>
      )}
    </>
  );
}
