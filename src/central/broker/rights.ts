/** Who may write and read which topics at the broker of central. Pure. */
import { shardName, shardOf } from '../../contract/topic.ts';

/**
 * `agent`: what the agent of that name says and hears. `watch`: cats, and how agents do. `home`: reads everything, and writes what is
 * not collard's. `all`: as central itself.
 */
export const ROLES = ['agent', 'watch', 'home', 'all'] as const;
export type MemberRole = (typeof ROLES)[number];

export interface Member {
  readonly name: string;
  readonly may: MemberRole;
}

export interface Topics {
  readonly base: string;
  /** Of Home Assistant: where it discovers, and where it says that it has started. */
  readonly prefix: string;
  readonly birth: string;
}

export interface Rights {
  mayWrite(topic: string): boolean;
  /** Of a wildcard that covers more than may be read: what may not is not passed on. */
  maySubscribe(filter: string): boolean;
  mayRead(topic: string): boolean;
}

export function rightsOf({ name, may }: Member, topics: Topics): Rights {
  const { base, prefix, birth } = topics;
  const own = `${base}/${shardName(shardOf(name))}/${name}`;
  const lists: Readonly<Record<MemberRole, { readonly write: readonly string[]; readonly read: readonly string[] }>> = {
    agent: {
      write: [...['events', 'backlog', 'sync', 'state', 'health'].map((last) => `${own}/${last}`), `${own}/response/+`],
      read: [`${own}/stored`, `${own}/request/+`, `${base}/central/state`],
    },
    watch: {
      write: [birth],
      read: [`${base}/cat/#`, `${base}/central/state`, `${base}/+/+/state`, `${base}/+/+/health`, `${prefix}/#`],
    },
    home: { write: ['#'], read: ['#'] },
    all: { write: ['#'], read: ['#'] },
  };
  const { write, read } = lists[may];
  const isOurs = (topic: string) => topic === base || topic.startsWith(`${base}/`);
  return {
    mayWrite: (topic) => write.some((filter) => matches(filter, topic)) && !(may === 'home' && isOurs(topic)),
    maySubscribe: (filter) => /[+#]/.test(filter) || read.some((allowed) => matches(allowed, filter)),
    mayRead: (topic) => read.some((filter) => matches(filter, topic)),
  };
}

/** As MQTT says; a wildcard at the beginning is none of `$SYS`. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  for (const [i, want] of wanted.entries()) {
    if (want === '#') return true;
    if (i >= levels.length || (want !== '+' && want !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
