import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_BODY_BYTES, MAX_REQUESTS_A_MINUTE } from '../../../src/central/api/server.ts';
import { saveHealth } from '../store/said.ts';
import { createSender, EPOCH, type Sender, type Serving, startServing } from './serving.ts';

const HOUR = 3_600_000;

describe('HTTP API', () => {
  let central: Serving;
  let sender: Sender;
  let reason: string | null;
  beforeEach(async () => {
    reason = null;
    central = await startServing({ simulated: true, notReady: () => reason });
    sender = createSender(central);
  });
  afterEach(() => central.stop());

  test('a cat is added, shown, moved, renamed and given a collar', async () => {
    const added = await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    expect(added).toMatchObject({ status: 201, body: { id: 1, name: 'Mia', collar: null } });
    expect(added.headers.get('location')).toBe('/api/v1/cats/1');
    expect(await central.call('PUT', 'api/v1/cats/1/location', { location: 'hall' })).toMatchObject({
      status: 200,
      body: { location: 'hall' },
    });
    expect(await central.call('PATCH', 'api/v1/cats/1', { name: 'Maja', collar: 'C1' })).toMatchObject({ status: 200 });
    expect((await central.call('GET', 'api/v1/cats')).body).toMatchObject({
      simulated: true,
      cats: [{ id: 1, name: 'Maja', location: 'hall', collar: 'C1', isMeowed: false, meowsToday: 0 }],
    });
    expect((await central.call('GET', 'api/v1/cats/1/history')).body.history).toMatchObject([
      { eventType: 'cat_name', oldValue: 'Mia', newValue: 'Maja' },
      { eventType: 'location', oldValue: null, newValue: 'hall' },
      { eventType: 'cat_name', oldValue: null, newValue: 'Mia' },
    ]);
  });

  test('a taken name is 409 with the exact words', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    const answer = await central.call('POST', 'api/v1/cats', { name: 'mia' });
    expect(answer.type).toContain('application/problem+json');
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual({
      type: 'urn:collard:problem:cat-exists',
      title: 'Conflict',
      status: 409,
      detail: 'cat already exists',
    });
  });

  test.each([
    ['PUT', 'api/v1/cats/9/location', { location: 'hall' }],
    ['PATCH', 'api/v1/cats/9', { name: 'Mia' }],
    ['GET', 'api/v1/cats/9/activity', undefined],
  ])('%s %s of an unknown cat is 404 with the exact words', async (method, path, body) => {
    const answer = await central.call(method, path, body);
    expect(answer.type).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status: 404, title: 'Not Found', detail: 'cat not found' });
  });

  test.each<[string, string, unknown, number, string[]]>([
    ['POST', 'api/v1/cats', {}, 400, ['body.name']],
    ['POST', 'api/v1/cats', { name: 7, collar: {}, more: 1 }, 400, ['body.name', 'body.collar', 'body']],
    ['POST', 'api/v1/cats', { name: '  ' }, 400, []],
    ['PATCH', 'api/v1/cats/1', {}, 400, ['body']],
    ['PUT', 'api/v1/cats/x/location', { location: 'hall' }, 400, ['params.id']],
    ['POST', 'api/v1/events/revoke', { epoch: 'x', seq: 0, reason: 'y' }, 400, ['body.epoch', 'body.seq']],
    [
      'GET',
      'api/v1/events?limit=0&from=yesterday&order=up',
      undefined,
      400,
      ['querystring.order', 'querystring.limit', 'querystring.from'],
    ],
    ['GET', 'api/v1/events?after=nonsense', undefined, 400, []],
    ['GET', 'api/v1/events?order=desc&before=nonsense', undefined, 400, []],
    ['GET', 'api/v1/events?fused=true', undefined, 400, ['querystring.fused']],
    ['GET', 'api/v1/events?order=desc&after=p', undefined, 400, ['querystring.after']],
    ['GET', 'api/v1/events?wat=1', undefined, 400, ['querystring']],
    ['GET', 'api/v1/state?at=soon', undefined, 400, ['querystring.at']],
    ['GET', 'api/v1/state?at=2026-13-45T99:00Z', undefined, 400, ['querystring.at']],
    ['GET', 'api/v1/nothing', undefined, 404, []],
  ])('%s %s %j is %i and names every fault', async (method, path, body, status, paths) => {
    const answer = await central.call(method, path, body);
    expect(answer.type).toContain('application/problem+json');
    expect(answer.status).toBe(status);
    expect((answer.body.errors ?? []).map((fault: { path: string }) => fault.path)).toEqual(paths);
    expect(answer.body.detail).not.toBe('');
  });

  test('a body that is no JSON, too large or of another kind is refused', async () => {
    const post = async (body: string, type: string) => {
      const init = { method: 'POST', body, headers: { 'content-type': type } };
      return (await fetch(new URL('api/v1/cats', central.url), init)).status;
    };
    expect(await post('{"name":', 'application/json')).toBe(400);
    expect(await post(JSON.stringify({ name: 'x'.repeat(MAX_BODY_BYTES) }), 'application/json')).toBe(413);
    expect(await post('name=Mia', 'application/x-www-form-urlencoded')).toBe(415);
    expect(await post('{"name":"Mia"}', 'text/plain')).toBe(415);
  });

  test('a page of another site may not change anything', async () => {
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' };
    const init = { method: 'POST', body: '{"name":"Mia"}', headers };
    expect((await fetch(new URL('api/v1/cats', central.url), init)).status).toBe(403);
    expect((await central.call('GET', 'api/v1/cats')).body.cats).toEqual([]);
  });

  test('events are CloudEvents, page by page, oldest first and newest first', async () => {
    await sender.sendAll(
      Array.from({ length: 7 }, (_, i) => ['meow.started', 'collar/C1', { level: i }, new Date(1_700_000_000_000 + i)]),
    );
    const seqs: number[] = [];
    let next = '';
    for (let page = 0; page < 4; page += 1) {
      const { body } = await central.call(
        'GET',
        `api/v1/events?limit=3&agent=porch${next === '' ? '' : `&after=${next}`}`,
      );
      seqs.push(...body.events.map((event: { seq: number }) => event.seq));
      next = body.next;
    }
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const { body } = await central.call('GET', 'api/v1/events?order=desc&limit=2');
    expect(body.events.map((event: { seq: number }) => event.seq)).toEqual([7, 6]);
    const older = await central.call('GET', `api/v1/events?order=desc&limit=2&before=${body.next}`);
    expect(older.body.events.map((event: { seq: number }) => event.seq)).toEqual([5, 4]);
    expect(body.events[0]).toEqual({
      position: 7,
      specversion: '1.0',
      id: `${EPOCH}/7`,
      source: '/collard/agent/porch',
      type: 'collard.meow.started',
      subject: 'collar/C1',
      time: '2023-11-14T22:13:20.006Z',
      dataschema: 'urn:collard:meow.started:1',
      epoch: EPOCH,
      seq: 7,
      clock: 'synced',
      data: { level: 6 },
    });
  });

  test('events are found by type, cat, collar, agent and time', async () => {
    const at = (s: number) => new Date(1_700_000_000_000 + s * 1_000);
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await sender.send('collar.assigned', 'cat/1', { catId: 1, collar: 'C1' }, at(0));
    await sender.send('meow.started', 'collar/C1', { level: 1 }, at(1));
    await sender.send('meow.started', 'collar/C2', { level: 1 }, at(2));
    await sender.send('cat.moved', 'collar/C1', { from: null, to: 'hall' }, at(3));
    const count = async (query: string) => (await central.call('GET', `api/v1/events?${query}`)).body.events.length;
    expect(await count('type=meow.started')).toBe(2);
    expect(await count('type=collard.meow.started,cat.moved')).toBe(3);
    expect(await count('type=meow.started&type=cat.moved')).toBe(3);
    expect(await count('collar=C2')).toBe(1);
    expect(await count('agent=porch')).toBe(4);
    expect(await count('agent=nobody')).toBe(0);
    expect(await count('cat=1&type=meow.started')).toBe(1);
    expect(await count(`agent=porch&from=${at(1).toISOString()}&to=${at(3).toISOString()}`)).toBe(2);
    expect(await count('agent=porch&from=2023-11-14T23:13:21%2B01:00')).toBe(3);
  });

  test('a cursor that is ahead of the store is refused as what it is, and not followed by nothing', async () => {
    await sender.sendAll([['meow.started', 'collar/C1', { level: 1 }, new Date(1_700_000_000_000)]]);
    const { next } = (await central.call('GET', 'api/v1/events')).body;
    expect(next).toMatch(/^p\d+-1$/);
    expect((await central.call('GET', `api/v1/events?after=${next}`)).body).toEqual({ events: [], next });
    const { status, body } = await central.call('GET', `api/v1/events?after=${next.replace(/1$/, '2')}`);
    expect([status, body.type]).toEqual([400, 'urn:collard:problem:bad-cursor']);
    expect(body.detail).toContain('Begin without a cursor');
  });

  test('events come in the order of time too, from their own cursor', async () => {
    const at = (s: number) => new Date(1_700_000_000_000 + s * 1_000);
    for (const s of [3, 1, 2]) await sender.send('meow.started', 'collar/C1', { level: s }, at(s));
    const levels = (body: { events: { data: { level: number } }[] }) => body.events.map(({ data }) => data.level);
    const first = (await central.call('GET', 'api/v1/events?sort=time&limit=2')).body;
    expect(levels(first)).toEqual([1, 2]);
    // The cursor says itself what order it is of.
    const rest = (await central.call('GET', `api/v1/events?limit=2&after=${first.next}`)).body;
    expect(levels(rest)).toEqual([3]);
    const end = (await central.call('GET', `api/v1/events?sort=time&after=${rest.next}`)).body;
    expect(end).toEqual({ events: [], next: rest.next });
    expect(levels((await central.call('GET', 'api/v1/events')).body)).toEqual([3, 1, 2]);
    expect((await central.call('GET', 'api/v1/events?sort=position&order=desc')).status).toBe(400);
    expect((await central.call('GET', `api/v1/events?sort=position&after=${rest.next}`)).status).toBe(400);
    expect((await central.call('GET', 'api/v1/events?sort=time&after=p1-2')).status).toBe(400);
  });

  test('one event is found by its id', async () => {
    const { epoch, seq } = await sender.send('meow.started', 'collar/C1', { level: 1 });
    const { body, text } = await central.call('GET', `api/v1/events/${epoch}/${seq}`);
    expect(body).toMatchObject({ id: `${epoch}/${seq}`, position: 1, data: { level: 1 } });
    expect((await central.call('GET', 'api/v1/events')).text).toContain(text);
    for (const path of [`${epoch}/99`, `${EPOCH.replace('0', '1')}/1`]) {
      const unknown = await central.call('GET', `api/v1/events/${path}`);
      expect(unknown).toMatchObject({ status: 404, body: { detail: 'event not found' } });
    }
    for (const path of [`${epoch}/0`, `${epoch}/x`, 'x/1']) {
      expect((await central.call('GET', `api/v1/events/${path}`)).status).toBe(400);
    }
  });

  test('an event is taken back once, and says so', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const moved = await sender.send('cat.moved', 'collar/C1', { from: null, to: 'roof' });
    const body = { epoch: moved.epoch, seq: moved.seq, reason: 'a bird' };
    const id = `${moved.epoch}/${moved.seq}`;
    const revoke = () => central.call('POST', 'api/v1/events/revoke', body);
    expect((await revoke()).body).toEqual({ revoked: true, events: [id] });
    expect((await revoke()).body).toEqual({ revoked: false, events: [] });
    const { events } = (await central.call('GET', 'api/v1/events?type=cat.moved,event.revoked&order=desc')).body;
    const [by, corrected] = events;
    expect(corrected).toMatchObject({
      id,
      revoked: true,
      correctedby: by.id,
      correction: 'a bird',
      data: { to: 'roof' },
    });
    expect(by).toMatchObject({ type: 'collard.event.revoked', data: { epoch: moved.epoch, seq: moved.seq } });
    expect(Object.keys(by)).not.toContain('revoked');
    const unknown = await central.call('POST', 'api/v1/events/revoke', { ...body, seq: 99 });
    expect(unknown).toMatchObject({ status: 404, body: { detail: 'event not found' } });
  });

  test('an event is given to another cat, and back by an undo', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
    const { epoch, seq } = await sender.send('cat.moved', 'collar/C1', { from: null, to: 'roof' });
    const locations = async () =>
      (await central.call('GET', 'api/v1/cats')).body.cats.map((cat: { location: string | null }) => cat.location);
    const reassign = (cat: number) =>
      central.call('POST', 'api/v1/events/reassign', { epoch, seq, cat, reason: 'his collar' });
    expect((await reassign(2)).body).toEqual({ reassigned: true, events: [`${epoch}/${seq}`] });
    expect(await locations()).toEqual([null, 'roof']);
    expect((await reassign(2)).body).toEqual({ reassigned: false, events: [] });
    const { events } = (await central.call('GET', 'api/v1/events?cat=2&order=desc')).body;
    expect(events[1]).toMatchObject({ reassignedto: 2, correctedby: events[0].id, correction: 'his collar' });
    const history = async (cat: number) => (await central.call('GET', `api/v1/cats/${cat}/history`)).body;
    const correction = { by: events[0].id, catId: 2, reason: 'his collar' };
    expect((await history(2)).history[0]).toMatchObject({ id: `${epoch}/${seq}`, newValue: 'roof', correction });
    expect((await history(2)).corrected).toEqual([]);
    const gone = { id: `${epoch}/${seq}`, type: 'collard.cat.moved', data: { from: null, to: 'roof' }, correction };
    expect(await history(1)).toMatchObject({
      history: [{ eventType: 'cat_name', correction: null }],
      corrected: [gone],
    });
    const by = { epoch: events[0].epoch, seq: events[0].seq, reason: 'hers after all' };
    expect((await central.call('POST', 'api/v1/events/revoke', by)).body.revoked).toBe(true);
    expect(await locations()).toEqual(['roof', null]);
    const refusals = [
      [(await reassign(9)).status, 404],
      [(await central.call('POST', 'api/v1/events/reassign', { epoch, seq, cat: 0, reason: 'x' })).status, 400],
    ];
    for (const [status, expected] of refusals) expect(status).toBe(expected);
  });

  test('the state of a moment is the fold of all events before it', async () => {
    const at = (hours: number) => new Date(Date.parse('2026-11-20T08:00:00.000Z') + hours * HOUR);
    const sent = [
      ['cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, at(-3)],
      ['collar.assigned', 'cat/1', { catId: 1, collar: 'C1' }, at(-3)],
      ['cat.moved', 'collar/C1', { from: null, to: 'hall' }, at(-2)],
      ['meow.started', 'collar/C1', { level: 1 }, at(-1)],
      ['cat.moved', 'collar/C1', { from: 'hall', to: 'kitchen' }, at(1)],
    ] as const;
    await sender.sendAll(sent);
    const then = await central.call('GET', 'api/v1/state?at=2026-11-20T08:00Z');
    expect(then.body).toMatchObject({
      at: '2026-11-20T08:00:00.000Z',
      simulated: true,
      cats: [
        { id: 1, name: 'Mia', location: 'hall', locationSince: at(-2).toISOString(), isMeowed: true, collar: 'C1' },
      ],
    });
    expect((await central.call('GET', 'api/v1/state?at=2026-11-19T08:00:00%2B01:00')).body.cats).toEqual([]);
    expect((await central.call('GET', 'api/v1/state')).body.cats).toMatchObject([{ location: 'kitchen' }]);
  });

  test('events are counted by day, in a time zone', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const data = { durationMs: 430, peakG: 1.8, readings: 17, place: 'hall' };
    await sender.send('meow.ended', 'collar/C1', data, new Date('2026-11-22T23:30:00Z'));
    const { body } = await central.call('GET', 'api/v1/stats?from=2026-11-20T00:00Z&tz=Europe/Berlin&type=meow.ended');
    expect(body).toMatchObject({ by: 'day', tz: 'Europe/Berlin' });
    expect(body.rows).toEqual([
      {
        ...{ from: '2026-11-23T00:00:00+01:00', to: '2026-11-24T00:00:00+01:00', catId: 1, name: 'Mia' },
        ...{ events: 1, types: { 'meow.ended': 1 }, meows: 1, meowMs: 430, meanMs: 430 },
      },
    ]);
    expect((await central.call('GET', 'api/v1/stats?tz=Mars')).status).toBe(400);
    expect((await central.call('GET', 'api/v1/stats?by=week')).status).toBe(400);
    expect((await central.call('GET', 'api/v1/stats?cat=9')).status).toBe(404);
  });

  test('the watchdog answers for a cat', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await sender.send('battery.low', 'collar/C1', { percent: 9 });
    const { body } = await central.call('GET', 'api/v1/cats/1/activity');
    expect(body).toMatchObject({ catId: 1, alerts: [{ rule: 'battery' }] });
  });

  test('agents are shown with their health, and collars of no cat', async () => {
    await sender.send('meow.started', 'collar/STRAY', { level: 1 });
    const collars = [{ collar: 'QUIET', lastHeard: new Date(0).toISOString(), rssiDbm: -61 }];
    await saveHealth(central.store, 'porch', { simulated: true, queue: 3, collars }, new Date().toISOString());
    const { body } = await central.call('GET', 'api/v1/agents');
    const porch = body.agents.find((row: { agent: string }) => row.agent === 'porch');
    expect(porch).toMatchObject({ health: { simulated: true, queue: 3 }, conflicts: 0, epochs: [{ mark: 1 }] });
    expect(body.unassigned).toMatchObject([
      { collar: 'STRAY', agent: 'porch' },
      { collar: 'QUIET', agent: 'porch', lastSeen: new Date(0).toISOString() },
    ]);
  });

  test('health, readiness and figures', async () => {
    await sender.send('meow.started', 'collar/C1', { level: 1 });
    expect(await central.call('GET', 'healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await central.call('GET', 'readyz')).toMatchObject({ status: 200 });
    reason = 'no broker';
    expect(await central.call('GET', 'readyz')).toMatchObject({ status: 503, body: { detail: 'no broker' } });
    for (const id of [1, 2, 3]) await central.call('GET', `api/v1/cats/${id}/history`);
    const { text } = await central.call('GET', 'metrics');
    expect(text).toMatch(/^collard_stored_events 1$/m);
    expect(text).toMatch(/^collard_stored_skipped 0$/m);
    expect(text).toMatch(/^collard_models_stopped 0$/m);
    expect(text).toMatch(/^collard_webhooks_dead 0$/m);
    expect(text).toContain('collard_http_requests_total{method="GET",route="/api/v1/cats/:id/history",status="2xx"} 3');
  });

  test('OpenAPI 3.1 names every route and its errors', async () => {
    const { body } = await central.call('GET', 'api/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const routes = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual([
      'DELETE /api/v1/agents/{agent}/keys',
      'DELETE /api/v1/agents/{agent}/keys/{key}',
      'DELETE /api/v1/quarantine',
      'DELETE /api/v1/quarantine/{no}',
      'GET /api/v1/agents',
      'GET /api/v1/agents/keys',
      'GET /api/v1/agents/{agent}/collars/{collar}/live',
      'GET /api/v1/agents/{agent}/gaps',
      'GET /api/v1/cats',
      'GET /api/v1/cats/{id}/activity',
      'GET /api/v1/cats/{id}/history',
      'GET /api/v1/cats/{id}/picture',
      'GET /api/v1/central',
      'GET /api/v1/conflicts',
      'GET /api/v1/events',
      'GET /api/v1/events/{epoch}/{seq}',
      'GET /api/v1/models',
      'GET /api/v1/pictures',
      'GET /api/v1/quarantine',
      'GET /api/v1/quarantine/{no}',
      'GET /api/v1/session',
      'GET /api/v1/state',
      'GET /api/v1/stats',
      'GET /api/v1/stream',
      'PATCH /api/v1/cats/{id}',
      'POST /api/v1/agents/{agent}/collars/{collar}/compare',
      'POST /api/v1/agents/{agent}/keys',
      'POST /api/v1/cats',
      'POST /api/v1/events/reassign',
      'POST /api/v1/events/revoke',
      'POST /api/v1/quarantine/{no}/retry',
      'PUT /api/v1/cats/{id}/location',
    ]);
    const { responses, requestBody } = body.paths['/api/v1/cats'].post;
    expect(Object.keys(responses)).toEqual(['201', '400', '401', '403', '409', '413', '415', '421', '429']);
    expect(Object.keys(responses['409'].content)).toEqual(['application/problem+json']);
    expect(requestBody.content['application/json'].schema.required).toEqual(['name']);
  });

  test('a page may load nothing from elsewhere and run nothing inline', async () => {
    const { headers } = await central.call('GET', 'api/v1/cats');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('more than MAX_REQUESTS_A_MINUTE of one address are refused, health apart', { timeout: 60_000 }, async () => {
    let status = 200;
    let asked = 0;
    while (status === 200 && asked < MAX_REQUESTS_A_MINUTE + 10) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => central.call('GET', 'api/v1/cats')));
      asked += answers.length;
      status = answers.find((answer) => answer.status !== 200)?.status ?? 200;
    }
    expect(status).toBe(429);
    const refused = await central.call('GET', 'api/v1/cats');
    expect(refused.body).toMatchObject({ status: 429, title: 'Too Many Requests' });
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect((await central.call('GET', 'healthz')).status).toBe(200);
  });
});
