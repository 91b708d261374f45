/** A walk through every operation of the API, so that each has answered something: what it should, and what it refuses. */
import { encodeBatch } from '../../../src/contract/envelope.ts';
import { encodePublicKey } from '../../../src/contract/signature.ts';
import { agentTopic } from '../../../src/contract/topic.ts';
import { newKey } from '../../contract/signing.ts';
import { createWriter, epochId, meowing, NOW } from '../store/events.ts';
import { quarantine, saveHealth, saveState } from '../store/said.ts';
import type { Answer, Serving } from './serving.ts';

export interface Asked {
  /** `GET /api/v1/cats/{id}` */
  readonly operation: string;
  readonly body: unknown;
  readonly answer: Answer;
}

export const TOUR_TIME = new Date('2026-11-23T12:30:00.000Z');
const KEY = encodePublicKey(newKey().publicKey);

/** On a central whose clock says TOUR_TIME. */
export async function tour(central: Serving): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  const ask = async (operation: string, path?: string, body?: unknown): Promise<Answer> => {
    const [method = '', route = ''] = operation.split(' ');
    const answer = await central.call(method, path ?? route, body);
    asked.push({ operation, body, answer });
    return answer;
  };
  const v1 = '/api/v1';
  await ask(`POST ${v1}/cats`, undefined, { name: 'Mia', collar: 'C0FFEE01' });
  await ask(`POST ${v1}/cats`, undefined, { name: 'mia' });
  await ask(`POST ${v1}/cats`, undefined, { dog: 1 });
  await fill(central);
  for (const cat of [`${v1}/cats/{id}`, `${v1}/cats/{id}/location`]) {
    const [method, field] = cat.endsWith('location') ? ['PUT', 'location'] : ['PATCH', 'collar'];
    await ask(`${method} ${cat}`, cat.replace('{id}', '1'), {
      [field as string]: field === 'location' ? 'garden' : 'C0FFEE01',
    });
    await ask(`${method} ${cat}`, cat.replace('{id}', '99'), { [field as string]: 'x' });
    await ask(`${method} ${cat}`, cat.replace('{id}', 'one'), {});
  }
  for (const part of ['activity', 'history']) {
    await ask(`GET ${v1}/cats/{id}/${part}`, `${v1}/cats/1/${part}`);
    await ask(`GET ${v1}/cats/{id}/${part}`, `${v1}/cats/99/${part}`);
    await ask(`GET ${v1}/cats/{id}/${part}`, `${v1}/cats/one/${part}`);
  }
  const event = `${v1}/events/{epoch}/{seq}`;
  await ask(`GET ${event}`, `${v1}/events/${epochId(1)}/2`);
  await ask(`GET ${event}`, `${v1}/events/${epochId(1)}/999`);
  await ask(`GET ${event}`, `${v1}/events/x/1`);
  for (const change of ['reassign', 'revoke']) {
    const one = {
      epoch: epochId(1),
      seq: 2,
      reason: 'it was the other one',
      ...(change === 'reassign' ? { cat: 1 } : {}),
    };
    await ask(`POST ${v1}/events/${change}`, undefined, one);
    await ask(`POST ${v1}/events/${change}`, undefined, { ...one, seq: 999 });
    await ask(`POST ${v1}/events/${change}`, undefined, {});
  }
  // With its correction.
  await ask(`GET ${event}`, `${v1}/events/${epochId(1)}/2`);
  await ask(`GET ${v1}/cats/{id}/history`, `${v1}/cats/1/history`);
  await ask(`GET ${v1}/pictures`);
  const lists: readonly (readonly [path: string, wrong: string | null])[] = [
    ...([
      ['cats', null],
      ['state', 'at=noon'],
      ['events', 'limit=0'],
      ['agents', null],
    ] as const),
    ...([
      ['models', null],
      ['stats', 'by=year'],
      ['central', null],
      ['agents/keys', null],
    ] as const),
    ...([
      ['quarantine', 'kind=x'],
      ['conflicts', 'limit=0'],
      ['session', null],
    ] as const),
  ];
  for (const [path, wrong] of lists) {
    await ask(`GET ${v1}/${path}`);
    if (wrong !== null) await ask(`GET ${v1}/${path}`, `${v1}/${path}?${wrong}`);
  }
  await ask(`GET ${v1}/state`, `${v1}/state?at=2026-11-23T12:00Z`);
  await ask(`GET ${v1}/events`, `${v1}/events?order=desc&limit=2`);
  await ask(`GET ${v1}/agents/{agent}/gaps`, `${v1}/agents/porch/gaps`);
  await ask(`GET ${v1}/agents/{agent}/gaps`, `${v1}/agents/a.b/gaps`);
  const live = `${v1}/agents/{agent}/collars/{collar}/live`;
  await ask(`GET ${live}`, `${v1}/agents/porch/collars/C0FFEE01/live`);
  await ask(`GET ${live}`, `${v1}/agents/porch/collars/NONE/live`);
  await ask(`GET ${live}`, `${v1}/agents/a.b/collars/C0FFEE01/live`);
  const compare = `${v1}/agents/{agent}/collars/{collar}/compare`;
  const tried = { hours: 3, shake: { sensitivity: 1.4 } };
  await ask(`POST ${compare}`, `${v1}/agents/porch/collars/C0FFEE01/compare`, tried);
  await ask(`POST ${compare}`, `${v1}/agents/porch/collars/NONE/compare`, tried);
  await ask(`POST ${compare}`, `${v1}/agents/porch/collars/C0FFEE01/compare`, { ...tried, hours: 25 });
  await askKeys(ask, v1);
  await askQuarantine(ask, v1);
  return asked;
}

type Ask = (operation: string, path?: string, body?: unknown) => Promise<Answer>;

async function askKeys(ask: Ask, v1: string): Promise<void> {
  const keys = `${v1}/agents/{agent}/keys`;
  for (const agent of ['porch', 'shed', 'central'])
    await ask(`POST ${keys}`, keys.replace('{agent}', agent), { key: KEY });
  await ask(`POST ${keys}`, keys.replace('{agent}', 'porch'), { key: 'none' });
  await ask(`GET ${v1}/agents/keys`);
  for (const path of [`porch/keys/${KEY}`, `porch/keys/${KEY}`])
    await ask(`DELETE ${keys}/{key}`, `${v1}/agents/${path}`);
  for (const path of ['shed/keys', 'shed/keys']) await ask(`DELETE ${keys}`, `${v1}/agents/${path}`);
}

async function askQuarantine(ask: Ask, v1: string): Promise<void> {
  const one = `${v1}/quarantine/{no}`;
  for (const no of ['1', '99', 'x']) await ask(`GET ${one}`, one.replace('{no}', no));
  for (const no of ['2', '3', '99', 'x']) await ask(`POST ${one}/retry`, `${v1}/quarantine/${no}/retry`);
  for (const no of ['1', '99', 'x']) await ask(`DELETE ${one}`, one.replace('{no}', no));
  await ask(`DELETE ${v1}/quarantine`);
}

/** Two agents with events, gaps, conflicts, and things that could not be taken in. */
async function fill({ store }: Serving): Promise<void> {
  const porch = createWriter('porch', epochId(1));
  porch.add('cat.moved', 'collar/C0FFEE01', { from: null, to: 'kitchen', confidence: 0.9 }, 0);
  porch.add('meow.started', 'collar/C0FFEE01', { level: 1.5 }, 60);
  porch.add('meow.ended', 'collar/C0FFEE01', { durationMs: 430, peakG: 1.84, readings: 17, place: 'kitchen' }, 61);
  const lost = { epoch: epochId(1), fromSeq: 5, toSeq: 6, count: 2, reason: 'the disk was full' };
  porch.add('history.lost', null, lost, 120);
  await store.ingest(porch.batch(1, 4), NOW);
  await store.ingest(meowing('shed', epochId(2), 4, 'FEED0002').batch(3, 4), NOW);
  await store.ingest(meowing('shed', epochId(2), 4, 'OTHER').batch(3, 4), NOW);
  await saveState(store, 'porch', { state: 'online', session: 3, version: '0.1.0' }, NOW);
  await saveHealth(store, 'porch', { version: '0.1.0', queue: 0, disk: 'ok', sources: [] }, NOW);
  while ((await store.project(500)).events > 0);
  const topic = agentTopic('collard/v1', 'shed', 'events');
  const second = encodeBatch(meowing('shed', epochId(2), 2, 'FEED0002').batch(1, 2));
  for (const payload of ['{', second, '[]'])
    await quarantine(
      store,
      { agent: 'shed', topic, payload: Buffer.from(payload), kind: 'unreadable', reason: 'is no JSON' },
      NOW,
    );
}
