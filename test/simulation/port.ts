/** A serial port with collars behind it, that can be unplugged. */
import type { PortStream } from '../../src/agent/source/system-port.ts';
import { type Life, within } from './machine.ts';

export interface Port extends PortStream {
  isOpen: boolean;
  emit(event: string, argument: unknown): void;
}

export function createPort(life: Life): Port {
  const listeners = new Map<string, (argument: never) => void>();
  return {
    isOpen: false,
    open(done) {
      this.isOpen = true;
      done(null);
    },
    write: (_bytes, done) => done(null),
    close(done) {
      this.isOpen = false;
      done(null);
    },
    on: (event: string, listener: (argument: never) => void) => listeners.set(event, listener),
    emit: (event, argument) => {
      if (!life.dead) within(life, () => listeners.get(event)?.(argument as never));
    },
  };
}
