/**
 * Who of the workers has which duty. Pure, and the same for all who see the same: so nobody need ask. Nobody has more than one more
 * than another, and nothing moves without need.
 */

/** `owners`: of those that are had now, by whomever. Of no workers comes nothing. */
export function share<D>(
  duties: readonly D[],
  workers: readonly string[],
  owners: ReadonlyMap<D, string>,
): ReadonlyMap<D, string> {
  const shared = new Map<D, string>();
  const names = [...new Set(workers)].sort();
  if (names.length === 0) return shared;
  const has = new Map<string, D[]>(names.map((name) => [name, []]));
  for (const duty of duties) has.get(owners.get(duty) ?? '')?.push(duty);
  const quotas = quotasOf(duties.length, names, (name) => has.get(name)?.length ?? 0);
  for (const name of names) {
    for (const duty of (has.get(name) ?? []).slice(0, quotas.get(name))) shared.set(duty, name);
  }
  const free = duties.filter((duty) => !shared.has(duty));
  for (const name of names) {
    const kept = Math.min(has.get(name)?.length ?? 0, quotas.get(name) ?? 0);
    for (const duty of free.splice(0, (quotas.get(name) ?? 0) - kept)) shared.set(duty, name);
  }
  return shared;
}

/** What does not come out even goes to those that have most: then it need not move. */
function quotasOf(count: number, names: readonly string[], has: (name: string) => number): ReadonlyMap<string, number> {
  const each = Math.floor(count / names.length);
  const byHas = [...names].sort((a, b) => has(b) - has(a) || (a < b ? -1 : 1));
  return new Map(byHas.map((name, i) => [name, each + (i < count % names.length ? 1 : 0)]));
}
