/** What a fleet asks for, from what was measured of a smaller one. Pure: everybody can put in figures of their own. */

/** What `npm run load:fleet -- --json` prints, as far as it is used here. */
export interface MeasuredLoad {
  readonly agents: number;
  /** Events of each agent a minute. */
  readonly rate: number;
  readonly database: string;
  readonly eventsPerSecond: number;
  readonly machine: { readonly flushesPerSecond: number; readonly load: number };
  readonly uses: Readonly<
    Record<'central' | 'broker' | 'database', { readonly cpuPercent: number; readonly rssMb: number }>
  >;
  /** PUBLISH at the broker, bytes of all packets, and how many of the messages were of health. */
  readonly perEvent: {
    readonly received: number;
    readonly sent: number;
    readonly bytes: number;
    readonly healths: number;
  };
  readonly storedBytesPerEvent: number;
}

export interface Question {
  readonly agents: number;
  readonly perMinute: number;
  /** A store knows no more agents than these. */
  readonly agentsPerStore: number;
  /** How much of a core, and of what a disk flushes, is planned for: the rest is for what comes at once. */
  readonly headroom: number;
  /** Cores of here that one core of the target is: 1 where it is as fast. */
  readonly coreFactor: number;
  /** Of the disk under one store. */
  readonly flushesPerSecond: number;
}

export interface Capacity {
  readonly eventsPerSecond: number;
  readonly sessions: number;
  readonly brokerInPerSecond: number;
  readonly brokerOutPerSecond: number;
  readonly brokerBytesPerSecond: number;
  /** With headroom. */
  readonly brokerCores: number;
  readonly stores: number;
  readonly agentsPerStore: number;
  readonly rowsPerSecondPerStore: number;
  /** At most: an event of an agent that comes alone is a commit, and so is a word on its health. What waits at once shares one. */
  readonly commitsPerSecondPerStore: number;
  /** Of the disk of a store, with headroom: above 1 it does not come along. */
  readonly diskShare: number;
  /** Central and database, with headroom. */
  readonly coresPerStore: number;
  readonly bytesPerYear: number;
  readonly bytesPerYearPerStore: number;
  /** How many agents of this kind one central on one such disk and one core bears, and by what it is limited. */
  readonly oneBox: { readonly agents: number; readonly by: 'disk' | 'core' | 'store' };
}

const YEAR_S = 365.25 * 86_400;
/** An agent tells how it is once a minute: in to the broker, and out to central. */
const HEALTH_PER_MINUTE = 1;

/** The broker passes on one message of each event and of each health at least: what is beyond that goes with the events. */
export function capacityOf(measured: MeasuredLoad, question: Question): Capacity {
  const { agents, perMinute, headroom } = question;
  const eventsPerSecond = (agents * perMinute) / 60;
  const healthPerSecond = (agents * HEALTH_PER_MINUTE) / 60;
  const { healths } = measured.perEvent;
  const messages = (perEvent: number) => eventsPerSecond * Math.max(0, perEvent - healths) + healthPerSecond;
  /** Processor time goes with what is written down and passed on: events and health alike. */
  const words = eventsPerSecond + healthPerSecond;
  const measuredWords = measured.eventsPerSecond * (1 + healths);
  const coresOf = (percent: number, share: number) =>
    ((percent / 100 / measuredWords) * words * share) / headroom / question.coreFactor;
  const stores = Math.ceil(agents / question.agentsPerStore);
  const commitsPerSecondPerStore = words / stores;
  const central = measured.uses.central.cpuPercent + measured.uses.database.cpuPercent;
  const bytesPerYear = eventsPerSecond * YEAR_S * measured.storedBytesPerEvent;
  return {
    eventsPerSecond,
    sessions: agents,
    brokerInPerSecond: messages(measured.perEvent.received),
    brokerOutPerSecond: messages(measured.perEvent.sent),
    brokerBytesPerSecond: (measured.perEvent.bytes * measured.eventsPerSecond * words) / measuredWords,
    brokerCores: coresOf(measured.uses.broker.cpuPercent, 1),
    stores,
    agentsPerStore: Math.ceil(agents / stores),
    rowsPerSecondPerStore: eventsPerSecond / stores,
    commitsPerSecondPerStore,
    diskShare: commitsPerSecondPerStore / (question.flushesPerSecond * headroom),
    coresPerStore: coresOf(central, 1 / stores),
    bytesPerYear,
    bytesPerYearPerStore: bytesPerYear / stores,
    oneBox: oneBoxOf(measured, question),
  };
}

function oneBoxOf(measured: MeasuredLoad, question: Question): Capacity['oneBox'] {
  const { perMinute, headroom, flushesPerSecond, coreFactor, agentsPerStore } = question;
  const wordsOfAgent = (perMinute + HEALTH_PER_MINUTE) / 60;
  const measuredWords = measured.eventsPerSecond * (1 + measured.perEvent.healths);
  const percent =
    measured.uses.central.cpuPercent + measured.uses.database.cpuPercent + measured.uses.broker.cpuPercent;
  const limits = [
    ['disk', (flushesPerSecond * headroom) / wordsOfAgent],
    ['core', (headroom * coreFactor) / ((percent / 100 / measuredWords) * wordsOfAgent)],
    ['store', agentsPerStore],
  ] as const;
  const [by, agents] = limits.reduce((least, one) => (one[1] < least[1] ? one : least));
  return { agents: Math.floor(agents), by };
}

/** As a table for people. */
export function capacityTable(measured: MeasuredLoad, question: Question): string {
  const c = capacityOf(measured, question);
  const { machine, uses } = measured;
  const rows: readonly (readonly [string, string])[] = [
    ['events', `${number(c.eventsPerSecond)} a second, as many rows`],
    [
      'broker',
      `${number(c.sessions)} sessions, ${number(c.brokerInPerSecond)} PUBLISH in and ${number(c.brokerOutPerSecond)} out a second`,
    ],
    ['', `${bytes(c.brokerBytesPerSecond)} a second, ${number(c.brokerCores)} cores of mosquitto's kind`],
    [
      'stores',
      `${number(c.stores)} of ${number(c.agentsPerStore)} agents: a store knows ${number(question.agentsPerStore)} at most`,
    ],
    [
      'each store',
      `${number(c.rowsPerSecondPerStore)} rows and ${number(c.commitsPerSecondPerStore)} commits a second, ${number(c.coresPerStore)} cores`,
    ],
    [
      '',
      `${number(100 * c.diskShare)} % of what is planned of a disk with ${number(question.flushesPerSecond)} flushes a second`,
    ],
    ['growth a year', `${bytes(c.bytesPerYear)}, ${bytes(c.bytesPerYearPerStore)} a store`],
    [
      'one box',
      `${number(c.oneBox.agents)} agents at ${question.perMinute} events a minute, limited by its ${c.oneBox.by}`,
    ],
    [
      'rests on',
      `${number(measured.agents)} agents at ${measured.rate} events a minute on ${measured.database}, ${machine.flushesPerSecond} flushes/s, load ${machine.load}:`,
    ],
    [
      '',
      `central ${uses.central.cpuPercent} % of a core, broker ${uses.broker.cpuPercent} %, database ${uses.database.cpuPercent} %, ${measured.storedBytesPerEvent} bytes an event`,
    ],
  ];
  return rows.map(([name, text]) => `${name.padEnd(16)}${text}\n`).join('');
}

function number(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString('en').replaceAll(',', ' ')
    : String(Number(value.toPrecision(2)));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${Number((value / 1_000 ** power).toPrecision(2))} ${UNITS[power]}`;
}
