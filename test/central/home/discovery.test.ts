import { describe, expect, it } from 'vitest';
import { createBulletin, LATE_MS } from '../../../src/central/bulletin.ts';
import { agentDiscovery, catDiscovery, type Discovery } from '../../../src/central/home/discovery.ts';
import type { CatRow } from '../../../src/central/store/store.ts';
import { createOutbox, type Postman } from '../../../src/central/subscriber/outbox.ts';
import { agentTopic, catTopic, centralStateTopic, meowTopic } from '../../../src/contract/topic.ts';
import { requireServer } from '../../servers.ts';
import { at, NOW } from '../store/events.ts';
import { type Device, type Entity, jinjaPath, parseDiscovery, render } from './home-assistant.ts';

const house = { base: 'collard/v1', prefix: 'homeassistant', version: '1.2.3', page: 'http://pi.local:8321/' };
const miso = { id: 7, name: 'Míso', collar: 'C0FFEE01' };
const porch = { agent: 'porch', version: '1.2.3' };
const parse = ({ topic, payload }: Discovery) => parseDiscovery('homeassistant', topic, payload) as Device;

describe('a discovery message', () => {
  it('of a cat is taken by Home Assistant', () => {
    const { topic } = catDiscovery(house, miso);
    const device = parse(catDiscovery(house, miso));
    expect([topic, device.name]).toEqual(['homeassistant/device/collard_cat_7/config', 'Míso']);
    expect(device.entities.map(({ config }) => config.default_entity_id)).toEqual([
      ...['event.miso_meow', 'event.miso_alert', 'device_tracker.miso', 'sensor.miso_place', 'sensor.miso_last_seen'],
      ...['sensor.miso_meows_today', 'sensor.miso_battery', 'binary_sensor.miso_battery_low'],
      ...['binary_sensor.miso_shaking', 'binary_sensor.miso_collar'],
    ]);
    expect(device.entities[0]?.config.availability).toEqual([
      { topic: centralStateTopic(house.base), value_template: '{{ value_json.state }}' },
    ]);
  });

  it('of an agent is taken by Home Assistant; whether it is connected is told while it is not', () => {
    const device = parse(agentDiscovery(house, porch));
    expect(device.entities.map(({ key }) => key)).toEqual([
      ...['connectivity', 'queue', 'oldest_unstored', 'last_confirmed', 'disk', 'stalled', 'sources', 'clock'],
    ]);
    const [connectivity, ...others] = device.entities;
    expect(connectivity?.config).not.toHaveProperty('availability');
    for (const { config } of others)
      expect(config).toMatchObject({ entity_category: 'diagnostic', availability: [{ topic: expect.any(String) }] });
  });

  it('has ids of its own in whatever house, and keeps them when a cat gets another name', () => {
    const second = { ...house, base: 'barn/collard' };
    const devices = [house, second].flatMap((one) => [
      ...[1, 2, 12].map((id) => parse(catDiscovery(one, { ...miso, id }))),
      ...['porch', 'cat_1', '1'].map((agent) => parse(agentDiscovery(one, { ...porch, agent }))),
    ]);
    const ids = devices.flatMap(({ id, entities }) => [id, ...entities.map(({ uniqueId }) => uniqueId)]);
    expect(new Set(ids).size).toBe(ids.length);
    const renamed = parse(catDiscovery(house, { ...miso, name: 'Momo' }));
    const uniqueIds = ({ entities }: Device) => entities.map(({ uniqueId }) => uniqueId);
    expect(uniqueIds(renamed)).toEqual(uniqueIds(parse(catDiscovery(house, miso))));
  });

  it('is one whatever a cat is called', () => {
    for (const name of ['ねこ', '"; DROP', '{{ 7*7 }}', ' ', 'a'.repeat(64), 'Zoë & Co.', '\u202e']) {
      const device = parse(catDiscovery(house, { ...miso, name }));
      expect(device.name).toBe(name);
    }
    expect(catDiscovery(house, { ...miso, name: 'ねこ' }).payload).toContain('sensor.cat_7_place');
  });

  it('leaves out what is not known', () => {
    const plain = catDiscovery({ ...house, page: undefined }, { ...miso, collar: null });
    const agent = agentDiscovery({ ...house, page: undefined }, { ...porch, version: '' });
    for (const one of [plain, agent]) parse(one);
    expect(JSON.parse(plain.payload).device).toEqual({
      ...{ identifiers: ['collard_cat_7'], manufacturer: 'collard', name: 'Míso', model: 'Cat' },
    });
    expect(JSON.parse(agent.payload).device).not.toHaveProperty('sw_version');
  });
});

describe('what Home Assistant would refuse', () => {
  const { topic, payload } = catDiscovery(house, miso);
  const changed = (change: (message: ReturnType<typeof JSON.parse>) => void) => {
    const message = JSON.parse(payload);
    change(message);
    return () => parseDiscovery('homeassistant', topic, JSON.stringify(message));
  };
  it.each<[string, (message: ReturnType<typeof JSON.parse>) => void]>([
    ['message: unknown key name', (m) => (m.name = 'x')],
    ['origin has no name', (m) => delete m.origin],
    ['device has no identifiers', (m) => (m.device.identifiers = [])],
    ['place: no unique_id', (m) => delete m.components.place.unique_id],
    ['place: unknown key object_id', (m) => (m.components.place.object_id = 'x')],
    ['place: platform undefined', (m) => delete m.components.place.platform],
    ['shaking: device_class shake', (m) => (m.components.shaking.device_class = 'shake')],
    ['battery: unit or state class', (m) => (m.components.battery.unit_of_measurement = 'V')],
    ['last_seen: unit or state class', (m) => (m.components.last_seen.state_class = 'measurement')],
    ['meows_today: last_reset', (m) => (m.components.meows_today.state_class = 'total_increasing')],
    ['meow: no event_types', (m) => delete m.components.meow.event_types],
    ['presence: unknown key state_topic', (m) => (m.components.presence.state_topic = 'x')],
    ['configuration_url', (m) => (m.device.configuration_url = 'pi.local')],
  ])('is found: %s', (reason, change) => {
    expect(changed(change)).toThrow(reason);
  });
});

const row: CatRow = {
  ...{ id: 7, name: 'Míso', isMeowed: false, location: null, locationSince: null, collar: 'C0FFEE01', lastSeen: null },
  ...{ lastHeard: null, meowsToday: 0, batteryLow: false, silent: false },
};

/** What the bulletin says, by topic. */
function said(tell: (bulletin: ReturnType<typeof createBulletin>) => void, laterMs = 0): Record<string, string> {
  let nowMs = Date.parse(NOW);
  const outbox = createOutbox();
  const bulletin = createBulletin(outbox, house.base, () => new Date(nowMs));
  tell(bulletin);
  nowMs += laterMs;
  const messages: Record<string, string> = {};
  const publish: Postman['publish'] = async (topic, payload) => {
    messages[topic] = String(payload);
    return { ok: true };
  };
  outbox.attach({ publish, receiveMaximum: 100 });
  return messages;
}

/** The states of a device's entities over these messages, where there is one. */
function states({ entities }: Device, messages: Readonly<Record<string, string>>): Record<string, string> {
  const read = ({ config }: Entity) =>
    config.json_attributes_topic === undefined
      ? [config.state_topic, config.value_template]
      : [config.json_attributes_topic, config.json_attributes_template];
  const heard = entities.filter((entity) => messages[String(read(entity)[0])] !== undefined);
  const texts = render(
    heard.map((entity) => [String(read(entity)[1]), messages[String(read(entity)[0])] ?? ''] as const),
  );
  return Object.fromEntries(heard.map(({ key }, i) => [key, texts[i] ?? '']));
}

describe.skipIf(!requireServer('jinja2', jinjaPath, 'python3-jinja2'))(
  'Home Assistant shows',
  { timeout: 120_000 },
  () => {
    const cat = parse(catDiscovery(house, miso));
    const ofCat = (change: Partial<CatRow>) =>
      states(
        cat,
        said((bulletin) => bulletin.cat({ ...row, ...change })),
      );

    it('nothing of a cat that was never heard', () => {
      expect(ofCat({})).toEqual({
        ...{ presence: '{}', place: 'None', last_seen: 'None', meows_today: '0', battery: 'None' },
        ...{ battery_low: 'OFF', shaking: 'OFF', collar: 'OFF' },
      });
    });

    it('a cat that shakes in the kitchen', () => {
      const messages = said((bulletin) => {
        bulletin.batteries(new Map([['C0FFEE01', 83]]));
        const seen = { lastSeen: at(0), lastHeard: at(1), isMeowed: true, location: 'kitchen', meowsToday: 4 };
        bulletin.cat({ ...row, ...seen, batteryLow: true });
      });
      const { presence, ...others } = states(cat, messages);
      expect(JSON.parse(presence ?? '')).toEqual({ in_zones: ['zone.home'], place: 'kitchen' });
      expect(others).toEqual({
        ...{ place: 'kitchen', last_seen: at(1), meows_today: '4', battery: '83', battery_low: 'ON' },
        ...{ shaking: 'ON', collar: 'ON' },
      });
      const reset = cat.entities.find(({ key }) => key === 'meows_today')?.config.last_reset_value_template;
      const [since = ''] = render([[String(reset), messages[catTopic(house.base, 7)] ?? '']]);
      expect(new Date(since).toISOString()).toBe(since);
      expect(Date.parse(NOW) - Date.parse(since)).toBeLessThan(24 * 3_600_000);
    });

    it('a silent collar as not at home', () => {
      const { presence, collar } = ofCat({ lastHeard: at(0), silent: true, location: 'kitchen' });
      expect(JSON.parse(presence ?? '')).toEqual({ in_zones: [], place: 'kitchen' });
      expect(collar).toBe('OFF');
    });

    it.each([
      ['of now as an event', 0, 1_000, true],
      ['that comes late as none', -LATE_MS / 1_000 - 1, 0, false],
      ['that waited for the link for too long as none', 0, LATE_MS + 1, false],
    ])('a meow %s', (_, seconds, laterMs, isTold) => {
      const meow = { id: 'e/1', catId: 7, name: 'Míso', time: at(seconds), collar: 'C0FFEE01', location: '"kitchen"' };
      const messages = said((bulletin) => bulletin.meow(meow), laterMs);
      const { meow: text = '' } = states(cat, messages);
      expect(JSON.parse(messages[meowTopic(house.base, 7)] ?? '').late).toBe(!isTold);
      if (!isTold) expect(text).toBe('');
      else expect(JSON.parse(text)).toEqual({ event_type: 'meow', time: at(seconds), place: '"kitchen"', id: 'e/1' });
    });

    it('an alert as an event of one of its types', () => {
      const alert = { change: 'raised', catId: 7, name: 'Míso', rule: 'battery', key: 'battery', text: 'low' };
      const { alert: text = '' } = states(
        cat,
        said((bulletin) => bulletin.alert(7, alert)),
      );
      expect(JSON.parse(text)).toEqual({ event_type: 'raised', rule: 'battery', text: 'low' });
    });

    it('an agent by its state and its health', () => {
      const device = parse(agentDiscovery(house, porch));
      const health = (change: object) => ({
        [agentTopic(house.base, 'porch', 'state')]: JSON.stringify({ state: 'online', session: 1, version: '1' }),
        [agentTopic(house.base, 'porch', 'health')]: JSON.stringify({
          ...{ queue: 12, oldestUnstored: at(0), lastConfirmed: null, stalled: false, disk: 'ok', clock: 'synced' },
          ...{ sources: [{ source: 'a', state: 'open' }], ...change },
        }),
      });
      expect(states(device, health({}))).toEqual({
        ...{ connectivity: 'online', queue: '12', oldest_unstored: at(0), last_confirmed: 'None', disk: 'ok' },
        ...{ stalled: 'OFF', sources: 'OFF', clock: 'OFF' },
      });
      const bad = { stalled: true, clock: 'unsynced', sources: [{ state: 'open' }, { state: 'failed' }] };
      expect(states(device, health(bad))).toMatchObject({ stalled: 'ON', sources: 'ON', clock: 'ON' });
    });
  },
);
