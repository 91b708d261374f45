/** What goes wrong for a while: in the network, in the broker, on slow disks. */
import type { BrokerFaults, Message } from './broker.ts';
import type { World } from './world.ts';

/** What the network and the broker do wrong at this moment. */
export interface Weather {
  slowMs: number;
  reachable: 'yes' | 'refused' | 'silent';
  swallow: number;
  refuse: number;
  copy: number;
  holdBack: number;
  storedLost: number;
  storedLate: number;
  /** Each append to a card takes up to so long. */
  slowCardMs: number;
  /** Each commit of central takes up to so long. */
  slowStoreMs: number;
}

export function fairWeather(): Weather {
  const calm = { slowMs: 0, swallow: 0, refuse: 0, copy: 0, holdBack: 0, storedLost: 0, storedLate: 0 };
  return { ...calm, slowCardMs: 0, slowStoreMs: 0, reachable: 'yes' };
}

export function faultsOf(weather: Weather, world: World): BrokerFaults {
  const random = world.random('broker');
  const happens = (share: number, fault: string) => {
    if (share === 0 || random.next() >= share) return false;
    world.count(fault);
    return true;
  };
  const isStored = ({ topic }: Message) => topic.endsWith('/stored');
  return {
    swallows: (message) =>
      isStored(message)
        ? happens(weather.storedLost, '`stored` lost')
        : message.qos === 1 && happens(weather.swallow, 'acknowledged and dropped'),
    refuses: (message) =>
      message.qos === 1 && happens(weather.refuse, 'refused') ? random.pick([0x87, 0x10, 0x97]) : null,
    copies: () => (happens(weather.copy, 'doubled') ? 2 : 1),
    heldBackMs(message) {
      if (isStored(message) && happens(weather.storedLate, '`stored` late')) return random.whole(500, 30_000);
      return happens(weather.holdBack, 'overtaken') ? random.whole(10, 3_000) : 0;
    },
  };
}
