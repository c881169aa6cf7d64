/** Signing in and out: a cookie that scripts can't read, and the token that changes need (docs/api.md). */
import { account, clockOffsetMs, request, type Account } from "./http";

const PATH = "/ui/session";

/** Goes on with the sign-in that this browser has, if any. */
export async function resume(): Promise<void> {
  try {
    take(await request<Account>("GET", PATH));
  } catch {
    account.value = null;
  }
}

/** Raises `ApiError`: 401 `wrong_password`, 429 `too_many_attempts`, 403 `no_accounts`. */
export async function signIn(user: string, password: string): Promise<void> {
  take(await request<Account>("POST", PATH, { user, password }));
}

export async function signOut(): Promise<void> {
  await request("DELETE", PATH);
  account.value = null;
}

function take(given: Account): void {
  clockOffsetMs.value = given.now - Date.now();
  account.value = given;
}
