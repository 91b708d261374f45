/** The stream of central, kept open: the browser resumes by itself, and where it gives up we open it again where it ended. */
import { checkLogin } from './api.ts';
import type { AgentsAnswer, CatsAnswer, CloudEvent, ModelsAnswer } from './types.ts';

const REOPEN_MS = 3_000;

export interface Hello {
  readonly version: string;
  readonly simulated: boolean;
  /** Somebody has logged in here, and may log out. */
  readonly login: boolean;
  /** Central's clock, RFC 3339. */
  readonly now: string;
}

export interface LiveHandlers {
  /** `fresh`: what happened before is not coming, so it must be read. */
  hello(hello: Hello, fresh: boolean): void;
  event(event: CloudEvent): void;
  cats(answer: CatsAnswer): void;
  agents(answer: AgentsAnswer): void;
  models(answer: ModelsAnswer): void;
  state(state: 'live' | 'lost'): void;
}

export function openLive(handlers: LiveHandlers): void {
  let lastId: string | null = null;
  const open = () => {
    const query = lastId === null ? '' : `?${new URLSearchParams({ after: lastId })}`;
    const source = new EventSource(`api/v1/stream${query}`);
    const on = <T>(name: string, use: (value: T) => void) =>
      source.addEventListener(name, (message: MessageEvent<string>) => {
        if (message.lastEventId !== '') lastId = message.lastEventId;
        use(JSON.parse(message.data) as T);
      });
    on<Hello & { resumed: boolean }>('hello', (hello) => {
      handlers.state('live');
      handlers.hello(hello, !hello.resumed);
    });
    on<Hello>('reset', (hello) => {
      handlers.state('live');
      handlers.hello(hello, true);
    });
    on<CloudEvent>('event', handlers.event);
    on<CatsAnswer>('cats', handlers.cats);
    on<AgentsAnswer>('agents', handlers.agents);
    on<ModelsAnswer>('models', handlers.models);
    source.onerror = () => {
      handlers.state('lost');
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      void checkLogin();
      setTimeout(open, REOPEN_MS);
    };
  };
  open();
}
