/** The log in a thread of its own: all that `open-event-log.test.ts` asks, asked again. */
import { vi } from 'vitest';

// Each opening starts a thread, and the suite opens many.
vi.setConfig({ testTimeout: 90_000 });
vi.mock('./log-fixture.ts', async (original) => {
  const fixture = await original<typeof import('./log-fixture.ts')>();
  return { ...fixture, openLog: fixture.openLogInThread };
});
await import('./open-event-log.test.ts');
