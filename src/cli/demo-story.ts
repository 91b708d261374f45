/** Tells in the terminal what happens in the demo, by the same HTTP API that everybody has. */
import { paint, print, safe } from './output.ts';

interface CloudEvent {
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StoryParts {
  /** Where central listens, such as http://127.0.0.1:8321. */
  readonly url: string;
  /** The collars' cats by name. */
  readonly cats: ReadonlyMap<string, string>;
}

/** Adds the cats, then prints a line for each event until the signal aborts, whatever it waits for then. The first meow is celebrated. */
export async function runStory(parts: StoryParts, signal: AbortSignal): Promise<void> {
  try {
    await tellStory(parts, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function tellStory({ url, cats }: StoryParts, signal: AbortSignal): Promise<void> {
  await addCats(url, cats, signal);
  const started = performance.now();
  let meows = 0;
  for await (const event of follow(url, signal)) {
    const collar = event.subject?.replace('collar/', '') ?? '';
    const cat = cats.get(collar) ?? collar;
    const line = sentence(event, cat);
    if (line === null) continue;
    if (event.type === 'collard.meow.started' && meows++ === 0) celebrate(cat, (performance.now() - started) / 1000);
    else print(`${paint(event.time.slice(11, 19), 'dim')}  ${line}`);
  }
}

async function addCats(url: string, cats: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
  for (const [collar, name] of cats) {
    const response = await fetch(`${url}/api/v1/cats`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, collar }),
      signal,
    });
    // 409: the folder of an earlier demo was given, the cat is there already.
    if (!response.ok && response.status !== 409)
      throw new Error(`the demo could not add ${name}: HTTP ${response.status}`);
  }
}

async function* follow(url: string, signal: AbortSignal): AsyncGenerator<CloudEvent> {
  const response = await fetch(`${url}/api/v1/stream`, { signal });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      if (/^event: event$/m.test(message) && data !== undefined) yield JSON.parse(data) as CloudEvent;
    }
  }
}

function sentence(event: CloudEvent, cat: string): string | null {
  const { data } = event;
  switch (event.type) {
    case 'collard.meow.started':
      return `${paint(safe(cat), 'bold')} is shaking`;
    case 'collard.meow.ended':
      return `${safe(cat)} shook for ${(Number(data.durationMs) / 1000).toFixed(1)} s, up to ${Number(data.peakG).toFixed(1)} g`;
    case 'collard.cat.moved':
      return data.from === null
        ? `${safe(cat)} is in the ${safe(String(data.to))}`
        : `${safe(cat)} went ${safe(String(data.from))} → ${safe(String(data.to))}`;
    case 'collard.battery.low':
      return `${safe(cat)}'s collar: battery at ${String(data.percent)} %`;
    case 'collard.collar.silent':
      return `${safe(cat)}'s collar is silent`;
    default:
      return null;
  }
}

function celebrate(cat: string, seconds: number): void {
  print('');
  print(paint(`   /\\_/\\   ${safe(cat)} is shaking: the first meow!`, 'green'));
  print(paint(`  ( o.o )  read, logged, forwarded, stored and shown ${seconds.toFixed(1)} s after the start`, 'green'));
  print(paint(`   > ^ <   SIMULATED`, 'green'));
  print('');
}
