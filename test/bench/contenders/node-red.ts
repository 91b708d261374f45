import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { freePort } from '../../servers.ts';
import type { Contender } from '../contender.ts';
import { begin } from './child.ts';
import { peersFolder } from './peers.ts';

const program = join(peersFolder, 'node_modules', 'node-red', 'red.js');

const EDGE = `let reading;
try { reading = JSON.parse(msg.payload); } catch { return null; }
const { collar, n, battery } = reading;
if (battery >= 25) { flow.set(collar, false); return null; }
if (battery > 15 || flow.get(collar) === true) return null;
flow.set(collar, true);
const event = JSON.stringify({ type: 'battery.low', collar, n, percent: battery, time: new Date().toISOString() });
return { params: { $body: event }, event };`;

/** Serial in, a function, and MQTT out; `durable`: a row in SQLite between them, flushed before the broker hears of it. */
export function nodeRed(durable: boolean): Contender {
  return {
    name: durable ? 'Node-RED, SQLite' : 'Node-RED',
    durable,
    format: 'json',
    missing: existsSync(program) ? null : 'npm run bench:peers',
    async start({ port, brokerPort, folder, env }) {
      const flows = join(folder, 'flows.json');
      const db = join(folder, 'events.db');
      if (durable) createTable(db);
      writeFileSync(flows, JSON.stringify(flow(port, brokerPort, db, durable)));
      writeFileSync(join(folder, 'settings.js'), settings());
      const own = { ...env, NODE_PATH: join(peersFolder, 'node_modules') };
      const args = [
        program,
        '--userDir',
        folder,
        '--settings',
        join(folder, 'settings.js'),
        '--port',
        String(await freePort()),
      ];
      const child = begin(process.execPath, [...args, flows], { env: own });
      await child.says(/serial port .* opened/i, 120_000);
      return child;
    },
  };
}

/** Its `synchronous` is FULL where nobody says otherwise. */
function createTable(path: string): void {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  db.close();
}

function settings(): string {
  return `module.exports = { nodesDir: ${JSON.stringify(join(peersFolder, 'node_modules'))}, uiHost: '127.0.0.1', disableEditor: true,
  telemetry: { enabled: false }, logging: { console: { level: 'info' } } };\n`;
}

function flow(port: string, brokerPort: number, db: string, durable: boolean): object[] {
  const node = (id: string, type: string, more: object) => ({ id, type, z: 'flow', x: 0, y: 0, ...more });
  const config = (id: string, type: string, more: object) => ({ id, type, ...more });
  const publish = "return { topic: 'bench/events', payload: msg.event };";
  const stored = node('stored', 'function', { func: publish, outputs: 1, wires: [['out']] });
  const insert = {
    mydb: 'db',
    sqlquery: 'prepared',
    sql: 'INSERT INTO event (body) VALUES ($body)',
    wires: [['stored']],
  };
  return [
    config('flow', 'tab', { label: 'bench', disabled: false }),
    config('serial', 'serial-port', {
      serialport: port,
      serialbaud: '115200',
      databits: '8',
      parity: 'none',
      stopbits: '1',
      waitfor: '',
      newline: '\\n',
      bin: 'false',
      out: 'char',
      addchar: '',
      responsetimeout: '10000',
    }),
    config('broker', 'mqtt-broker', {
      broker: '127.0.0.1',
      port: String(brokerPort),
      clientid: 'node-red',
      autoConnect: true,
      usetls: false,
      protocolVersion: '4',
      keepalive: '60',
      cleansession: false,
    }),
    node('in', 'serial in', { serial: 'serial', wires: [['edge']] }),
    node('edge', 'function', { func: EDGE, outputs: 1, wires: [[durable ? 'insert' : 'stored']] }),
    ...(durable ? [config('db', 'sqlitedb', { db, mode: 'RWC' }), node('insert', 'sqlite', insert)] : []),
    stored,
    node('out', 'mqtt out', { topic: '', qos: '1', retain: 'false', broker: 'broker', wires: [] }),
  ];
}
