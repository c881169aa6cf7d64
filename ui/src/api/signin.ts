/** Signing in and out: a cookie that scripts can't read, and the token that changes need (docs/api.md). */
import { batch } from "@preact/signals";

import { account, clockOffsetMs, held, request, type Account } from "./http";

const PATH = "/ui/session";

/** Goes on with the sign-in that this browser has, if any; as before where the server can't be reached. */
export async function resume(): Promise<void> {
  let given: Account | undefined;
  try {
    given = await request<Account | undefined>("GET", PATH);
  } catch {
    return;
  }
  if (given === undefined) account.value = null;
  else take(given);
}

/** Raises `ApiError`: 401 `wrong_password`, 429 `too_many_attempts`, 403 `no_accounts`. */
export async function signIn(user: string, password: string): Promise<void> {
  take(await request<Account>("POST", PATH, { user, password }));
}

export async function signOut(): Promise<void> {
  await request("DELETE", PATH);
  batch(() => {
    account.value = null;
    held.value = null;
  });
}

function take(given: Account): void {
  clockOffsetMs.value = given.now - Date.now();
  batch(() => {
    account.value = given;
    held.value = given;
  });
}
