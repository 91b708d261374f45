/** Calls to central. All addresses are relative, so that the page works under any path. */
import type {
  ActivityAnswer,
  CentralAnswer,
  Compared,
  EventsAnswer,
  Gap,
  HistoryAnswer,
  LiveTrace,
  PicturesAnswer,
  StateAnswer,
  StatsAnswer,
} from './types.ts';

/** Newest first. `before` is `next` of the page before; `to` an exclusive end in time. */
export function getEvents(query: Readonly<Record<string, string | undefined>>, limit: number): Promise<EventsAnswer> {
  const search = new URLSearchParams({ order: 'desc', limit: String(limit) });
  for (const [key, value] of Object.entries(query)) {
    // Types one by one: together they would be longer than central takes for one.
    const values = key === 'type' ? (value ?? '').split(',') : [value ?? ''];
    for (const one of values) if (one !== '') search.append(key, one);
  }
  return call('GET', `api/v1/events?${search}`) as Promise<EventsAnswer>;
}

/** Counts by hour or day, of the cats that there are. */
export function getStats(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<StatsAnswer> {
  return call('GET', `api/v1/stats?${new URLSearchParams(query)}`, undefined, signal) as Promise<StatsAnswer>;
}

/** The cats as of a moment. */
export function getState(at: string, signal: AbortSignal): Promise<StateAnswer> {
  return call('GET', `api/v1/state?${new URLSearchParams({ at })}`, undefined, signal) as Promise<StateAnswer>;
}

export async function addCat(name: string, collar: string): Promise<void> {
  await call('POST', 'api/v1/cats', collar === '' ? { name } : { name, collar });
}

export async function giveCollar(cat: number, collar: string): Promise<void> {
  await call('PATCH', `api/v1/cats/${cat}`, { collar });
}

export async function moveCat(cat: number, location: string): Promise<void> {
  await call('PUT', `api/v1/cats/${cat}/location`, { location });
}

export async function revokeEvent(epoch: string, seq: number, reason: string): Promise<void> {
  await call('POST', 'api/v1/events/revoke', { epoch, seq, reason });
}

export async function reassignEvent(epoch: string, seq: number, cat: number, reason: string): Promise<void> {
  await call('POST', 'api/v1/events/reassign', { epoch, seq, cat, reason });
}

export async function renameCat(cat: number, name: string): Promise<void> {
  await call('PATCH', `api/v1/cats/${cat}`, { name });
}

export function getPictures(): Promise<PicturesAnswer> {
  return call('GET', 'api/v1/pictures') as Promise<PicturesAnswer>;
}

export function getActivity(cat: number): Promise<ActivityAnswer> {
  return call('GET', `api/v1/cats/${cat}/activity`) as Promise<ActivityAnswer>;
}

export function getHistory(cat: number): Promise<HistoryAnswer> {
  return call('GET', `api/v1/cats/${cat}/history?limit=1`) as Promise<HistoryAnswer>;
}

export function getGaps(agent: string): Promise<{ readonly gaps: readonly Gap[] }> {
  return call('GET', `api/v1/agents/${encodeURIComponent(agent)}/gaps`) as Promise<{ readonly gaps: readonly Gap[] }>;
}

/** What the collar did in the last minute, as far as somebody looked. */
export function getLive(agent: string, collar: string): Promise<LiveTrace> {
  const [at, of] = [encodeURIComponent(agent), encodeURIComponent(collar)];
  return call('GET', `api/v1/agents/${at}/collars/${of}/live`) as Promise<LiveTrace>;
}

/** Answers when the agent is done. */
export function compareSettings(
  agent: string,
  collar: string,
  question: { readonly hours: number; readonly shake: Readonly<Record<string, number>> },
  signal: AbortSignal,
): Promise<Compared> {
  const [at, of] = [encodeURIComponent(agent), encodeURIComponent(collar)];
  return call('POST', `api/v1/agents/${at}/collars/${of}/compare`, question, signal) as Promise<Compared>;
}

export function getCentral(): Promise<CentralAnswer> {
  return call('GET', 'api/v1/central') as Promise<CentralAnswer>;
}

/** Rejects with what central says is wrong, in its words. */
async function call(method: string, path: string, body?: unknown, signal: AbortSignal | null = null): Promise<unknown> {
  const response = await fetch(path, {
    method,
    signal,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (response.ok) return response.json();
  if (response.status === 401) logInAgain();
  const problem: unknown = await response.json().catch(() => null);
  const detail = typeof problem === 'object' && problem !== null ? (problem as Record<string, unknown>).detail : null;
  throw new Error(typeof detail === 'string' ? detail : `central answered ${response.status}`);
}

/** The login is over, or central has a password by now: it is asked for there. */
function logInAgain(): void {
  location.assign('login');
}

/** Where the stream is refused, nobody tells why: is it for want of a login? */
export async function checkLogin(): Promise<void> {
  const status = await fetch('api/v1/session').then(
    (response) => response.status,
    () => null,
  );
  if (status === 401) logInAgain();
}
