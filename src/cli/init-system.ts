/** What `collard init` sees of the machine that it runs on. */
import { agentSchema } from '../agent/config.ts';
import { checkBrokers } from './doctor-network.ts';
import { createCounts, hearPort } from './hear-port.ts';
import type { InitSystem } from './init-ask.ts';
import { findAround, SURROUNDINGS } from './init-brokers.ts';
import { HEAR_MS, listPorts, openListening } from './ports.ts';

const LOOK_MS = 6_000;

/** `stop`: nobody waits for an answer any more. */
export function openInitSystem(stop: AbortSignal): InitSystem {
  return {
    ports: () => listPorts(),
    hear: (path) => hearPort(path, { open: openListening, totalMs: HEAR_MS, monoNow: () => performance.now() }, stop),
    async collars({ serial, baud, format }, heard, signal) {
      const counts = createCounts({ format });
      heard([], null);
      for await (const input of openListening(serial, baud).inputs(AbortSignal.any([signal, stop]))) {
        if (input.type === 'bytes') counts.push(input.bytes);
        heard(counts.collars(), input.type === 'failed' ? input.reason : null);
      }
    },
    brokers: () => findAround(SURROUNDINGS, AbortSignal.any([stop, AbortSignal.timeout(LOOK_MS)])),
    test({ username, password, ...settings }) {
      const login = {
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
      };
      return checkBrokers(agentSchema.shape.mqtt.parse({ ...settings, ...login }), true);
    },
  };
}
