import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, mosquittoPath } from '../../servers.ts';
import type { Contender, Running } from '../contender.ts';
import { begin } from './child.ts';

const AWK = `{
  if (match($0, /"collar":"[^"]*"/) == 0) next
  collar = substr($0, RSTART + 10, RLENGTH - 11)
  match($0, /"n":[0-9]+/); n = substr($0, RSTART + 4, RLENGTH - 4)
  match($0, /"battery":[0-9]+/); battery = substr($0, RSTART + 10, RLENGTH - 10) + 0
  if (battery >= 25) low[collar] = 0
  else if (battery <= 15 && !low[collar]) {
    low[collar] = 1
    print "{\\"type\\":\\"battery.low\\",\\"collar\\":\\"" collar "\\",\\"n\\":" n ",\\"percent\\":" battery "}"
    fflush()
  }
}`;

/** awk and mosquitto_pub before a broker on the device, which is a bridge to the other one and keeps what waits every 30 minutes. */
export function shell(): Contender {
  return {
    name: 'shell and bridge',
    durable: false,
    format: 'json',
    missing: mosquittoPath === null ? 'apt-get install mosquitto mosquitto-clients gawk' : null,
    async start({ port, brokerPort, folder, env }) {
      const local = await freePort();
      const conf = join(folder, 'bridge.conf');
      const awk = join(folder, 'events.awk');
      writeFileSync(awk, AWK);
      writeFileSync(
        conf,
        `${process.getuid?.() === 0 ? 'user root\n' : ''}listener ${local} 127.0.0.1
allow_anonymous true
persistence true
persistence_location ${folder}/
max_queued_messages 0
connection bench
address 127.0.0.1:${brokerPort}
topic bench/events out 1
bridge_protocol_version mqttv311
cleansession false
restart_timeout 1
`,
      );
      const broker = begin(mosquittoPath ?? 'mosquitto', ['-c', conf], { env });
      const line = `stty -F ${port} raw -echo 115200 && exec 3< ${port} && until mosquitto_pub -p ${local} -t bench/ready -m 1; do sleep 0.1; done && echo reads && awk -f ${awk} <&3 | mosquitto_pub -p ${local} -q 1 -t bench/events -l`;
      const pipe = begin('sh', ['-c', line], { env });
      await pipe.says(/reads/, 30_000);
      const both = async (how: (one: Running) => Promise<void>) => {
        await how(pipe);
        await how(broker);
      };
      return {
        pids: [...broker.pids, ...pipe.pids],
        stop: () => both((one) => one.stop()),
        kill9: () => both((one) => one.kill9()),
      };
    },
  };
}
