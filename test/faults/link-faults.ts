/** Faults of the two links to the broker. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BrokerLink, Trouble } from './broker-link.ts';
import { type Fault, someMs } from './fault.ts';

/** One kind of trouble for a while, proved by what `count` counts. */
function trouble(
  what: string,
  weight: number,
  make: (random: () => number) => Trouble,
  count: (proxy: BrokerLink) => number,
  cutFirst = false,
): Fault[] {
  return (['agent', 'central'] as const).map((side) => ({
    name: `link of ${side}: ${what}`,
    target: `${side}-link` as const,
    weight,
    async run(house, _past, random) {
      const link = house[`${side}Link`];
      const before = count(link);
      link.set(make(random));
      if (cutFirst) link.cut();
      await pause(someMs(random));
      const happened = count(link) > before;
      link.heal();
      return happened;
    },
  }));
}

const held = ({ counts }: BrokerLink) => counts.held;
const kept = ({ counts }: BrokerLink) => counts.kept;
const droppedAcks = ({ counts }: BrokerLink) => counts.droppedAcks;

/** Frozen links count what they held only once they are well again: what came in meanwhile proves it. */
function freezing(what: string, frozen: NonNullable<Trouble['frozen']>, weight: number): Fault[] {
  return (['agent', 'central'] as const).map((side) => ({
    name: `link of ${side}: half-open, ${what}`,
    target: `${side}-link` as const,
    weight,
    async run(house, _past, random) {
      const link = house[`${side}Link`];
      const before = link.counts.held;
      link.set({ frozen });
      await pause(someMs(random));
      link.heal();
      await pause(30);
      return link.counts.held > before;
    },
  }));
}

export function linkFaults(): Fault[] {
  const cut = (['agent', 'central'] as const).map(
    (side): Fault => ({
      name: `link of ${side}: cut (RST)`,
      target: `${side}-link`,
      weight: 4,
      run: async (house) => house[`${side}Link`].cut() > 0,
    }),
  );
  const refused = (['agent', 'central'] as const).map(
    (side): Fault => ({
      name: `link of ${side}: refused`,
      target: `${side}-link`,
      weight: 2,
      async run(house, _past, random) {
        const link = house[`${side}Link`];
        const open = link.counts.open;
        await link.refuse();
        await pause(someMs(random));
        await link.listen();
        return open > 0;
      },
    }),
  );
  return [
    ...cut,
    ...refused,
    ...freezing('both ways', ['up', 'down'], 2),
    ...freezing('towards the broker', ['up'], 1),
    ...freezing('from the broker', ['down'], 1),
    ...trouble('delayed', 1, (random) => ({ delayMs: 20 + random() * 400 }), held),
    ...trouble('losing packets', 2, (random) => ({ stallShare: 0.05 + random() * 0.25, stallMs: 200 }), held),
    ...trouble('64 kbit/s', 1, () => ({ bytesPerSecond: 8_000 }), held),
    ...trouble('slow accept', 1, (random) => ({ acceptDelayMs: 200 + random() * 2_000 }), kept, true),
    ...trouble('no CONNACK', 1, () => ({ mute: true }), kept, true).map(cutAfter),
    ...trouble('PUBACK lost', 2, () => ({ dropAcks: 'down' }), droppedAcks),
    ...repeating(),
  ];
}

/** A mute connection stays mute for its client: healed, it has to be told. */
function cutAfter(fault: Fault): Fault {
  return {
    ...fault,
    async run(house, past, random) {
      const happened = await fault.run(house, past, random);
      house.agentLink.cut();
      return happened;
    },
  };
}

/** The broker never hears central's PUBACKs, then the link ends: it delivers all of it again. */
function repeating(): Fault[] {
  return [
    {
      name: 'link of central: delivered again (DUP)',
      target: 'central-link',
      weight: 3,
      async run(house, _past, random) {
        const link = house.centralLink;
        const before = link.counts.repeated;
        link.set({ dropAcks: 'up' });
        await pause(200 + random() * 800);
        link.cut();
        link.heal();
        for (let i = 0; i < 100 && link.counts.repeated === before; i += 1) await pause(20);
        return link.counts.repeated > before;
      },
    },
  ];
}
