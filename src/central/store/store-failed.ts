/** How the store says that this process cannot store any more. */

/** What is away is waited for. What has failed ends the process, and the next start looks at what there is. Told so once. */
export function storeFailed(cause: unknown): Error {
  if (cause instanceof Error && 'code' in cause && /^STORE_(AWAY|FAILED)$/.test(String(cause.code))) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(`the store failed: ${text}`, { cause }), { code: 'STORE_FAILED' });
}
