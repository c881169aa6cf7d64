/** The signed links of a stream: what they show, how often they were used, until when; revoked at once. */
import { useEffect, useState } from "preact/hooks";
import { useSignal } from "@preact/signals";

import { account, inPath, mayEdit, request, serverNow } from "../api/http";
import type { Link } from "../api/types";
import { address } from "../app/router";
import { say, sayWhy } from "../app/toasts";
import { Dialog } from "../common/Dialog";
import { poll } from "../common/poll";
import { formatMoment, formatSpan, shownZone } from "../common/time";
import { CopyField } from "./CopyField";
import { FORMATS, usesOf } from "./links";
import { spellWish } from "./wish";

const EVERY_MS = 5000;

export function LinksTab({ name }: { name: string }) {
  const links = useSignal<readonly Link[] | null>(null);
  const [shown, show] = useState<Link>();
  const path = `streams/${inPath(name)}/dvr/links`;

  async function read(abort?: AbortSignal): Promise<void> {
    if (account.value === null) return;
    links.value = (await request<{ links: Link[] }>("GET", path, undefined, abort)).links;
  }
  useEffect(() => poll(read, EVERY_MS), [name]);

  async function revoke(link: Link): Promise<void> {
    try {
      await request("DELETE", `${path}/${encodeURIComponent(link.id)}`);
      await read();
      say("The link is revoked.");
    } catch (error) {
      sayWhy(error);
    }
  }

  if (links.value === null) return null;
  if (links.value.length === 0) {
    return (
      <p class="soft">
        Nothing of this stream is shared. Choose a part on the <a href={address(["streams", name])}>timeline</a>, then
        Share.
      </p>
    );
  }
  const zone = shownZone.value;
  return (
    <>
      <div class="card scrolled" tabIndex={0} role="region" aria-label="Signed links">
        <table class="viewers">
          <thead>
            <tr>
              <th>Title</th>
              <th>From</th>
              <th class="num">Length</th>
              <th>As</th>
              <th class="num">Used</th>
              <th>Good until</th>
              <th>By</th>
              {mayEdit.value && (
                <th>
                  <span class="visually-hidden">Show and revoke</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {links.value.map((link) => (
              <tr key={link.id} class={link.expires_at * 1000 < serverNow() ? "soft" : undefined}>
                <td class="clipped">{link.title === null ? "–" : <bdi>{link.title}</bdi>}</td>
                <td>
                  <a class="num" href={address(["streams", name], partOf(link))}>
                    {formatMoment(link.from * 1000, zone)}
                  </a>
                </td>
                <td class="num">{formatSpan(link.duration * 1000)}</td>
                <td class="soft">{link.formats.join(", ")}</td>
                <td class="num">{usesOf(link)}</td>
                <td>
                  {formatMoment(link.expires_at * 1000, zone, "minute")}
                  {link.expires_at * 1000 < serverNow() && " (expired)"}
                </td>
                <td>
                  <bdi>{link.created_by}</bdi>
                </td>
                {mayEdit.value && (
                  <td>
                    <button class="quiet" onClick={() => show(link)}>
                      Show
                    </button>
                    <button class="quiet danger" onClick={() => void revoke(link)}>
                      Revoke
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown !== undefined && (
        <Dialog title={shown.title ?? "The link"} onClose={() => show(undefined)}>
          {Object.entries(shown.urls).map(([format, url]) => (
            <CopyField
              key={format}
              label={FORMATS.find(([one]) => one === format)?.[1] ?? format}
              text={`${location.origin}${url}`}
            />
          ))}
          <div class="dialog-buttons">
            <button onClick={() => show(undefined)}>Close</button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function partOf({ from, duration }: Link): Record<string, string> {
  return spellWish({ at: null, chosen: [from * 1000, (from + duration) * 1000] });
}
