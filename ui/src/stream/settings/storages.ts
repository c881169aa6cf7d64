/** The storages of the configuration, which a stream may be recorded to. */
import { request } from "../../api/http";

/** One of `GET dvrs`; seconds, bytes and percent. */
export interface Storage {
  name: string;
  root: string;
  expiration?: number;
  storage_limit?: number;
  disk_usage_limit?: number;
}

export async function readStorages(): Promise<readonly Storage[]> {
  return (await request<{ dvrs: Storage[] }>("GET", "dvrs?limit=1000")).dvrs;
}
