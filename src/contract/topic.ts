/** Topics. `<shard>` is s00..s63, CRC-32 of the agent's name mod 64. Topic levels hold no dots. */
import { crc32 } from 'node:zlib';

export const SHARDS = 64;
export const DEFAULT_BASE_TOPIC = 'collard/v1';

/** What an agent may be called: one topic level, readable in a path and a client id. */
export const AGENT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The name under which central's own events are stored. No agent may take it. */
export const CENTRAL_AGENT = 'central';

export type AgentChannel = 'events' | 'backlog' | 'sync' | 'stored' | 'state' | 'health';

export function shardOf(agent: string): number {
  return crc32(agent) % SHARDS;
}

/** 17 → `s17`. */
export function shardName(shard: number): string {
  return `s${String(shard).padStart(2, '0')}`;
}

export function agentTopic(base: string, agent: string, channel: AgentChannel): string {
  return `${base}/${shardName(shardOf(agent))}/${agent}/${channel}`;
}

export function requestTopic(base: string, agent: string, verb: string): string {
  return `${base}/${shardName(shardOf(agent))}/${agent}/request/${verb}`;
}

export function responseTopic(base: string, agent: string, verb: string): string {
  return `${base}/${shardName(shardOf(agent))}/${agent}/response/${verb}`;
}

export function centralStateTopic(base: string): string {
  return `${base}/central/state`;
}

export function catTopic(base: string, catId: number): string {
  return `${base}/cat/${catId}`;
}

export function meowTopic(base: string, catId: number): string {
  return `${base}/cat/${catId}/meow`;
}

export function alertTopic(base: string, catId: number): string {
  return `${base}/cat/${catId}/alert`;
}

export interface ParsedAgentTopic {
  readonly shard: number;
  readonly agent: string;
  /** `events`, `backlog`, … or `request/<verb>`, `response/<verb>`. */
  readonly channel: string;
}

/** Takes an agent's topic apart; null where it is none, or where shard and name disagree. */
export function parseAgentTopic(base: string, topic: string): ParsedAgentTopic | null {
  if (!topic.startsWith(`${base}/`)) return null;
  const [shard, agent, ...rest] = topic.slice(base.length + 1).split('/');
  if (shard === undefined || agent === undefined || rest.length === 0 || rest.length > 2) return null;
  if (!AGENT_NAME.test(agent) || shard !== shardName(shardOf(agent))) return null;
  return { shard: shardOf(agent), agent, channel: rest.join('/') };
}
