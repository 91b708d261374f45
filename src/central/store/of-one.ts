/** Which errors are of one piece of work, so that others can be written all the same. */

export function isRefused(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'REFUSED';
}

/**
 * Does it say something of what was to be written, and not of the database? A row that breaks a rule or fits in no column, a shard that
 * is another one's now, a fault of ours. After all else the database may be in any state, and nothing more is asked of it.
 */
export function isOfOne(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (!('code' in error) || error.code === undefined) return true;
  const code = String(error.code);
  // SQLSTATE: 22 is of data, 23 of constraints.
  const state = 'sqlState' in error ? String(error.sqlState) : code;
  return /^(REFUSED|FENCED|SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE).*)$/.test(code) || /^2[23]\w{3}$/.test(state);
}
