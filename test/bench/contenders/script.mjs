// What one writes in an evening: a port, lines, MQTT.js. Arguments: port, broker's port, folder, and how events are kept:
// `jsonl` (mqtt-jsonl-store, written behind) or `sqlite` (a row an event, flushed before it is published, deleted with its PUBACK).
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import mqtt from 'mqtt';
import { ReadlineParser, SerialPort } from 'serialport';

const [path, brokerPort, folder, keeping, peers = ''] = process.argv.slice(2);
const stores = {};
if (keeping === 'jsonl') {
  const { Manager } = createRequire(join(peers, 'package.json'))('mqtt-jsonl-store');
  const store = join(folder, 'store');
  mkdirSync(store, { recursive: true });
  const manager = new Manager(store);
  await manager.open();
  Object.assign(stores, { incomingStore: manager.incoming, outgoingStore: manager.outgoing });
}
const client = mqtt.connect(`mqtt://127.0.0.1:${brokerPort}`, {
  protocolVersion: 4,
  clientId: 'script',
  clean: false,
  reconnectPeriod: 200,
  ...stores,
});
client.on('error', () => undefined);
const send =
  keeping === 'sqlite' ? fromTable() : (event) => client.publish('bench/events', JSON.stringify(event), { qos: 1 });

const low = new Map();
const port = new SerialPort({ path, baudRate: 115_200 });
port.pipe(new ReadlineParser({ delimiter: '\n' })).on('data', (line) => {
  let reading;
  try {
    reading = JSON.parse(line);
  } catch {
    return;
  }
  const { collar, n, battery } = reading;
  if (battery >= 25) low.set(collar, false);
  else if (battery <= 15 && low.get(collar) !== true) {
    low.set(collar, true);
    send({ type: 'battery.low', collar, n, percent: battery, time: new Date().toISOString() });
  }
});
port.on('open', () => process.stdout.write('reads\n'));

function fromTable() {
  const db = new Database(join(folder, 'events.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  const insert = db.prepare('INSERT INTO event (body) VALUES (?)');
  const remove = db.prepare('DELETE FROM event WHERE id = ?');
  const publish = (id, body) => client.publish('bench/events', body, { qos: 1 }, (error) => error ?? remove.run(id));
  for (const { id, body } of db.prepare('SELECT id, body FROM event ORDER BY id').all()) publish(id, body);
  return (event) => {
    const body = JSON.stringify(event);
    publish(insert.run(body).lastInsertRowid, body);
  };
}
