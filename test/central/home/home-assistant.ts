/**
 * A discovery message as Home Assistant takes it (2026.11): the schemas of its MQTT integration and the tables of its sensors as
 * data. Throws with all that it would refuse or leave out without a word.
 */
import { spawnSync } from 'node:child_process';
import { findProgram } from '../../servers.ts';

type Fields = Readonly<Record<string, unknown>>;

const AVAILABILITY = ['availability', 'availability_mode', 'availability_template', 'availability_topic'];
const PAYLOADS = ['payload_available', 'payload_not_available'];
/** Said once for all components that do not say it themselves. */
const SHARED = [
  ...AVAILABILITY,
  ...PAYLOADS,
  'command_topic',
  'encoding',
  'message_expiry_interval',
  'qos',
  'state_topic',
];
const ROOT = [...SHARED, 'components', 'device', 'origin'];
const DEVICE =
  'configuration_url connections hw_version identifiers manufacturer model model_id name serial_number suggested_area sw_version via_device';
const ORIGIN = 'name support_url sw_version';
const COMMON = [
  ...[...AVAILABILITY, ...PAYLOADS, 'default_entity_id', 'enabled_by_default', 'encoding', 'entity_category'],
  ...['entity_picture', 'icon', 'json_attributes_template', 'json_attributes_topic', 'message_expiry_interval', 'name'],
  ...['platform', 'qos', 'unique_id', 'visible_by_default'],
];
const READS = ['device_class', 'state_topic', 'value_template'];
/** Of each platform what it takes besides, and what it must have. */
const PLATFORMS: Readonly<Record<string, { readonly takes: readonly string[]; readonly needs: readonly string[] }>> = {
  binary_sensor: {
    takes: [...READS, 'expire_after', 'force_update', 'off_delay', 'payload_off', 'payload_on'],
    needs: ['state_topic'],
  },
  // state_topic and its payloads are gone with 2027.1.
  device_tracker: { takes: ['source_type'], needs: ['json_attributes_topic'] },
  event: { takes: [...READS, 'event_types'], needs: ['state_topic', 'event_types'] },
  sensor: {
    takes: [
      ...[...READS, 'expire_after', 'force_update', 'last_reset_value_template', 'options', 'state_class'],
      ...['suggested_display_precision', 'unit_of_measurement'],
    ],
    needs: ['state_topic'],
  },
};
const DEVICE_CLASSES: Readonly<Record<string, string>> = {
  binary_sensor:
    'battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion moving occupancy ' +
    'opening plug power presence problem running safety smoke sound tamper update vibration window',
  event: 'button doorbell motion',
  sensor:
    'absolute_humidity apparent_power aqi area atmospheric_pressure battery blood_glucose_concentration carbon_dioxide carbon_monoxide ' +
    'conductivity current data_rate data_size date distance duration energy energy_distance energy_storage enum frequency gas humidity ' +
    'illuminance irradiance moisture monetary nitrogen_dioxide nitrogen_monoxide nitrous_oxide ozone ph pm1 pm10 pm25 pm4 power ' +
    'power_factor precipitation precipitation_intensity pressure reactive_energy reactive_power signal_strength sound_pressure speed ' +
    'sulphur_dioxide temperature temperature_delta timestamp volatile_organic_compounds volatile_organic_compounds_parts voltage volume ' +
    'volume_flow_rate volume_storage water weight wind_direction wind_speed',
};
const STATE_CLASSES = ['measurement', 'measurement_angle', 'total', 'total_increasing'];
/** Of the classes that we use: the units and state classes that go with them. */
const OF_CLASS: Readonly<Record<string, { readonly units: readonly unknown[]; readonly states: readonly unknown[] }>> =
  {
    battery: { units: ['%'], states: [undefined, 'measurement'] },
    enum: { units: [undefined], states: [undefined] },
    timestamp: { units: [undefined], states: [undefined] },
  };
const SOURCE_TYPES = ['gps', 'router', 'bluetooth', 'bluetooth_le'];
const CATEGORIES = [undefined, 'config', 'diagnostic'];
const MODES = [undefined, 'all', 'any', 'latest'];

export interface Entity {
  readonly key: string;
  readonly platform: string;
  readonly uniqueId: string;
  readonly config: Fields;
}

export interface Device {
  readonly id: string;
  readonly name: string;
  readonly entities: readonly Entity[];
}

/** Null for an empty payload: the device is removed. */
export function parseDiscovery(prefix: string, topic: string, payload: string): Device | null {
  const faults: string[] = [];
  const objectId = /^device\/([a-zA-Z0-9_-]+)\/config$/.exec(topic.slice(prefix.length + 1))?.[1];
  if (!topic.startsWith(`${prefix}/`) || objectId === undefined) throw new Error(`${topic} is no topic of discovery`);
  if (payload === '') return null;
  const root = fieldsOf(JSON.parse(payload));
  known(faults, 'message', root, ROOT);
  const device = fieldsOf(root.device);
  known(faults, 'device', device, DEVICE.split(' '));
  const identifiers = [device.identifiers].flat();
  if (identifiers.length === 0 || !identifiers.every(isText)) faults.push('device has no identifiers');
  if (!isText(device.name)) faults.push('device has no name');
  for (const [name, value] of Object.entries(device))
    if (name !== 'identifiers' && name !== 'connections' && !isText(value)) faults.push(`device.${name} is no text`);
  if (
    device.configuration_url !== undefined &&
    !/^(https?|homeassistant):\/\/[^/]/.test(String(device.configuration_url))
  )
    faults.push('configuration_url is no URL');
  const origin = fieldsOf(root.origin);
  known(faults, 'origin', origin, ORIGIN.split(' '));
  if (!isText(origin.name)) faults.push('origin has no name');
  const shared = Object.fromEntries(Object.entries(root).filter(([name]) => SHARED.includes(name)));
  const entities = Object.entries(fieldsOf(root.components)).map(([key, component]): Entity => {
    const own = fieldsOf(component);
    const config = { ...shared, ...own };
    entityFaults(faults, key, own, config);
    return { key, platform: String(own.platform), uniqueId: String(own.unique_id), config };
  });
  if (entities.length === 0) faults.push('no components');
  if (faults.length > 0) throw new Error(`${topic}: ${faults.join('; ')}`);
  return { id: objectId, name: String(device.name), entities };
}

function entityFaults(faults: string[], key: string, own: Fields, config: Fields): void {
  const say = (text: string) => faults.push(`${key}: ${text}`);
  const platform = PLATFORMS[String(own.platform)];
  if (platform === undefined) return void say(`platform ${String(own.platform)}`);
  known(faults, key, own, [...COMMON, ...platform.takes]);
  for (const name of platform.needs) if (config[name] === undefined) say(`no ${name}`);
  if (!isText(own.unique_id)) say('no unique_id');
  if (own.name !== null && !isText(own.name)) say('no name');
  const id = /^([a-z_]+)\.([a-z0-9_]+)$/.exec(String(own.default_entity_id));
  if (id?.[1] !== own.platform) say(`default_entity_id ${String(own.default_entity_id)}`);
  if (!CATEGORIES.includes(own.entity_category as string)) say('entity_category');
  if (own.icon !== undefined && !/^mdi:[a-z-]+$/.test(String(own.icon))) say('icon');
  if (![0, 1, 2].includes(config.qos as number)) say('qos');
  if (!MODES.includes(config.availability_mode as string)) say('availability_mode');
  for (const one of Array.isArray(config.availability) ? config.availability : []) {
    known(faults, `${key}.availability`, fieldsOf(one), ['topic', 'value_template', ...PAYLOADS]);
    if (!isTopic(fieldsOf(one).topic)) say('availability without a topic');
  }
  for (const [name, value] of Object.entries(config)) if (name.endsWith('_topic') && !isTopic(value)) say(name);
  const deviceClass = own.device_class;
  if (deviceClass !== undefined && !DEVICE_CLASSES[String(own.platform)]?.split(' ').includes(String(deviceClass)))
    say(`device_class ${String(deviceClass)}`);
  if (own.platform === 'event' && !(Array.isArray(own.event_types) && own.event_types.every(isText)))
    say('event_types');
  if (own.platform === 'device_tracker' && !SOURCE_TYPES.includes(String(own.source_type))) say('source_type');
  if (own.platform === 'sensor') sensorFaults(say, own);
}

function sensorFaults(say: (text: string) => void, own: Fields): void {
  const { device_class: deviceClass, state_class: stateClass, options, unit_of_measurement: unit } = own;
  if (stateClass !== undefined && !STATE_CLASSES.includes(String(stateClass))) say('state_class');
  if ((options !== undefined) !== (deviceClass === 'enum')) say('options go with enum, and enum with options');
  if (own.last_reset_value_template !== undefined && stateClass !== 'total') say('last_reset goes with total');
  if (deviceClass === undefined) return;
  const goes = OF_CLASS[String(deviceClass)];
  if (goes === undefined) say(`units of ${String(deviceClass)} are not in this table`);
  else if (!goes.units.includes(unit) || !goes.states.includes(stateClass)) say('unit or state class of its class');
}

function known(faults: string[], where: string, fields: Fields, names: readonly string[]): void {
  for (const name of Object.keys(fields)) if (!names.includes(name)) faults.push(`${where}: unknown key ${name}`);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** As a topic that is subscribed to, without wildcards. */
function isTopic(value: unknown): boolean {
  return isText(value) && !/[#+\0]/.test(value) && value.length <= 65_535;
}

/** Python with Jinja, which is what Home Assistant renders with. Null where it is not installed. */
export const jinjaPath = hasJinja() ? findProgram('python3') : null;

const RENDER = `
import json, sys
from jinja2.sandbox import ImmutableSandboxedEnvironment
env = ImmutableSandboxedEnvironment()
env.filters["to_json"] = json.dumps
def render(template, payload):
    value = {"value": payload}
    try:
        value["value_json"] = json.loads(payload)
    except ValueError:
        pass
    return env.from_string(template).render(**value)
print(json.dumps([render(*pair) for pair in json.load(sys.stdin)]))
`;

/** Each template over its payload, as text: null is "None" there, which stands for unknown. */
export function render(pairs: readonly (readonly [template: string, payload: string])[]): readonly string[] {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', RENDER], {
    input: JSON.stringify(pairs),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function hasJinja(): boolean {
  return spawnSync('python3', ['-c', 'import jinja2']).status === 0;
}
