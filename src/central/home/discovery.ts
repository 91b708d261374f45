/**
 * What Home Assistant is told of a cat and of an agent: one retained message each (MQTT device discovery), which says how our own
 * topics are read. Checked against what its documentation and its schemas took in November 2026.
 */
import { crc32 } from 'node:zlib';
import {
  agentTopic,
  alertTopic,
  catTopic,
  centralStateTopic,
  DEFAULT_BASE_TOPIC,
  meowTopic,
} from '../../contract/topic.ts';

export interface DiscoveryHouse {
  /** Where our topics begin. */
  readonly base: string;
  /** Where Home Assistant listens. */
  readonly prefix: string;
  readonly version: string;
  /** Where the page is, for a link beside each device. */
  readonly page?: string | undefined;
}

export interface Discovery {
  readonly topic: string;
  readonly payload: string;
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Fields = Readonly<Record<string, Json>>;
type Entity = (platform: string, key: string, fields: Fields) => [key: string, fields: Fields];

export function catDiscovery(
  house: DiscoveryHouse,
  cat: { readonly id: number; readonly name: string; readonly collar: string | null },
): Discovery {
  const state = catTopic(house.base, cat.id);
  const of = entities(`${nodeOf(house)}_cat_${cat.id}`, slugOf(cat.name) || `cat_${cat.id}`);
  const told = (key: string, fields: Fields) => of('sensor', key, { state_topic: state, ...fields });
  const flag = (key: string, condition: string, fields: Fields) =>
    of('binary_sensor', key, { state_topic: state, value_template: onOff(condition), ...fields });
  const components = Object.fromEntries([
    ...catEvents(house, cat.id, of),
    // Its state comes from the zones in the attributes: a state topic of its own is not taken any more from 2027.1 on.
    of('device_tracker', 'presence', {
      name: null,
      icon: 'mdi:cat',
      source_type: 'bluetooth_le',
      json_attributes_topic: state,
      json_attributes_template: `{% if value_json.lastHeard %}{{ {'in_zones': [] if value_json.silent else ['zone.home'], 'place': value_json.location} | to_json }}{% else %}{}{% endif %}`,
    }),
    told('place', { name: 'Place', icon: 'mdi:map-marker', value_template: '{{ value_json.location }}' }),
    told('last_seen', {
      name: 'Last seen',
      device_class: 'timestamp',
      value_template: '{{ value_json.lastHeard }}',
    }),
    told('meows_today', {
      name: 'Meows today',
      icon: 'mdi:counter',
      unit_of_measurement: 'meows',
      // Not total_increasing: what a person takes back makes it smaller, and is no new beginning.
      state_class: 'total',
      value_template: '{{ value_json.meowsToday }}',
      last_reset_value_template: '{{ value_json.meowsSince }}',
    }),
    told('battery', {
      name: 'Battery',
      device_class: 'battery',
      unit_of_measurement: '%',
      state_class: 'measurement',
      entity_category: 'diagnostic',
      value_template: '{{ value_json.batteryPercent }}',
    }),
    flag('battery_low', 'value_json.batteryLow', {
      name: 'Battery low',
      device_class: 'battery',
      entity_category: 'diagnostic',
    }),
    flag('shaking', 'value_json.isMeowed', { name: 'Shaking', device_class: 'vibration' }),
    flag('collar', 'value_json.lastHeard and not value_json.silent', {
      name: 'Collar',
      device_class: 'connectivity',
      entity_category: 'diagnostic',
    }),
  ]);
  const { payload, topic } = deviceOf(house, `cat_${cat.id}`, {
    name: cat.name,
    model: 'Cat',
    ...(cat.collar === null ? {} : { serial_number: cat.collar }),
  });
  return { topic, payload: payload({ availability: [whileOnline(centralStateTopic(house.base))], components }) };
}

/** What happens to a cat, as it happens. */
function catEvents({ base }: DiscoveryHouse, id: number, of: Entity): readonly [string, Fields][] {
  return [
    of('event', 'meow', {
      name: 'Meow',
      icon: 'mdi:cat',
      state_topic: meowTopic(base, id),
      event_types: ['meow'],
      // What comes late is history, and no event now: an empty text is ignored.
      value_template: `{% if not value_json.late %}{{ {'event_type': 'meow', 'time': value_json.time, 'place': value_json.location, 'id': value_json.id} | to_json }}{% endif %}`,
    }),
    of('event', 'alert', {
      name: 'Alert',
      icon: 'mdi:cat-alert',
      state_topic: alertTopic(base, id),
      event_types: ['raised', 'cleared'],
      value_template:
        "{{ {'event_type': value_json.change, 'rule': value_json.rule, 'text': value_json.text} | to_json }}",
    }),
  ];
}

export function agentDiscovery(
  house: DiscoveryHouse,
  { agent, version }: { readonly agent: string; readonly version: string },
): Discovery {
  const health = agentTopic(house.base, agent, 'health');
  const state = agentTopic(house.base, agent, 'state');
  const of = entities(`${nodeOf(house)}_agent_${agent}`, slugOf(`collard ${agent}`));
  const common = { state_topic: health, availability: [whileOnline(state)], entity_category: 'diagnostic' } as const;
  const told = (key: string, field: string, fields: Fields) =>
    of('sensor', key, { ...common, value_template: `{{ value_json.${field} }}`, ...fields });
  const problem = (key: string, condition: string, name: string) =>
    of('binary_sensor', key, { ...common, name, device_class: 'problem', value_template: onOff(condition) });
  const components = Object.fromEntries([
    of('binary_sensor', 'connectivity', {
      name: 'Connection',
      device_class: 'connectivity',
      entity_category: 'diagnostic',
      state_topic: state,
      value_template: '{{ value_json.state }}',
      payload_on: 'online',
      payload_off: 'offline',
    }),
    told('queue', 'queue', {
      name: 'Queue',
      icon: 'mdi:tray-full',
      unit_of_measurement: 'events',
      state_class: 'measurement',
    }),
    told('oldest_unstored', 'oldestUnstored', { name: 'Oldest unconfirmed', device_class: 'timestamp' }),
    told('last_confirmed', 'lastConfirmed', { name: 'Last confirmed', device_class: 'timestamp' }),
    told('disk', 'disk', {
      name: 'Disk budget',
      device_class: 'enum',
      options: ['ok', 'warn', 'thinning', 'losing'],
    }),
    problem('stalled', 'value_json.stalled', 'Stalled'),
    problem('sources', "value_json.sources | selectattr('state', 'eq', 'failed') | list", 'Sources'),
    problem('clock', "value_json.clock != 'synced'", 'Clock'),
  ]);
  const { payload, topic } = deviceOf(house, `agent_${agent}`, {
    name: `collard ${agent}`,
    model: 'Agent',
    ...(version === '' ? {} : { sw_version: version }),
  });
  return { topic, payload: payload({ components }) };
}

/** One for each house on a broker; two of them have two base topics. */
function nodeOf({ base }: DiscoveryHouse): string {
  return base === DEFAULT_BASE_TOPIC ? 'collard' : `collard_${crc32(base).toString(16).padStart(8, '0')}`;
}

function deviceOf(house: DiscoveryHouse, name: string, device: Fields) {
  const id = `${nodeOf(house)}_${name}`;
  const page: Fields = house.page === undefined ? {} : { configuration_url: house.page };
  const head = {
    device: { identifiers: [id], manufacturer: 'collard', ...device, ...page },
    origin: { name: 'collard', sw_version: house.version },
    qos: 1,
  };
  return {
    topic: `${house.prefix}/device/${id}/config`,
    payload: (fields: Fields) => JSON.stringify({ ...head, ...fields }),
  };
}

/** `unique_id` is for ever; `default_entity_id` only counts when an entity is seen for the first time. */
function entities(device: string, slug: string): Entity {
  return (platform, key, fields) => [
    key,
    {
      platform,
      unique_id: `${device}_${key}`,
      default_entity_id: `${platform}.${key === 'presence' ? slug : `${slug}_${key}`}`,
      ...fields,
    },
  ];
}

function whileOnline(topic: string): Fields {
  return { topic, value_template: '{{ value_json.state }}' };
}

function onOff(condition: string): string {
  return `{{ 'ON' if ${condition} else 'OFF' }}`;
}

/** Letters and digits of ASCII, as ids of entities are; empty where a name has none. */
function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}
