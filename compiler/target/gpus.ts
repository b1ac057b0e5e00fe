/**
 * GPUs by name, for plans without the GPU at hand: what a plan depends on. `source` says what each row was compared with, and which
 * of its numbers were found nowhere: those are not confirmed. deviceQuery: its output as owners of the card published it. Wikipedia:
 * its list of Nvidia's GPUs. Where the two differ (L2 of parts that are not whole), what the driver tells counts. For the GPU at hand the
 * driver's numbers count alone (gpus_here.ts). `realizar-compile gpus` prints the table.
 */
import { sharedOf } from './architectures.js';

/** What a plan depends on of a GPU; it is kept in plan.json. */
export interface Gpu {
  readonly name: string;
  /** "9.0" */
  readonly capability: string;
  readonly multiprocessors: number;
  /** The most shared memory of a block, and of a multiprocessor. */
  readonly sharedBytes: number;
  readonly sharedPerMultiprocessor: number;
  readonly l2Bytes: number;
  /** Of its memory, bytes per second. */
  readonly bandwidth: number;
  /** Of its multiprocessors at most, Hz. */
  readonly clock: number;
}

/** A row of the table: other names it goes by, and the document that has its numbers. */
export interface Part extends Gpu {
  readonly aliases: readonly string[];
  readonly source: string;
}

type Row = readonly [
  name: string,
  multiprocessors: number,
  l2MiB: number,
  gigabytes: number,
  mhz: number,
  ...aliases: string[],
];

function parts(capability: string, source: string, rows: readonly Row[]): Part[] {
  const shared = sharedOf(capability) * 1024;
  return rows.map(([name, multiprocessors, l2, gigabytes, mhz, ...aliases]) => ({
    name,
    capability,
    multiprocessors,
    sharedBytes: shared - 1024,
    sharedPerMultiprocessor: shared,
    l2Bytes: l2 * 2 ** 20,
    bandwidth: gigabytes * 1e9,
    clock: mhz * 1e6,
    aliases,
    source,
  }));
}

export const GPUS: readonly Part[] = [
  ...parts('8.0', 'A100 and A30 datasheets, Wikipedia (L2 and clock of the A30 not confirmed)', [
    ['A100 80GB SXM', 108, 40, 2039, 1410, 'A100', 'A100 80GB', 'A100-SXM4-80GB'],
    ['A100 80GB PCIe', 108, 40, 1935, 1410, 'A100 PCIe 80GB'],
    ['A100 40GB', 108, 40, 1555, 1410, 'A100-SXM4-40GB', 'A100-PCIE-40GB'],
    ['A30', 56, 24, 933, 1440],
  ]),
  ...parts(
    '8.6',
    'RTX A series: Wikipedia; A10: deviceQuery; A2 and A40: Wikipedia (L2 and clock not confirmed); A10G: AWS (not confirmed)',
    [
      ['A2', 10, 2, 200, 1770],
      ['A10', 72, 6, 600, 1695],
      ['A10G', 80, 6, 600, 1710],
      ['A40', 84, 6, 696, 1740],
      ['RTX A400', 6, 2, 96, 1762],
      ['RTX A1000', 18, 2, 192, 1462],
      ['RTX A2000', 26, 3, 288, 1200],
      ['RTX A4000', 48, 4, 448, 1560],
      ['RTX A4500', 56, 6, 640, 1650],
      ['RTX A5000', 64, 6, 768, 1695],
      ['RTX A5500', 80, 6, 768, 1665],
      ['RTX A6000', 84, 6, 768, 1800],
    ],
  ),
  ...parts(
    '8.6',
    'GeForce RTX 30 series: Wikipedia; RTX 3060 and 3060 Ti: deviceQuery (clocks of laptops not confirmed)',
    [
      ['RTX 3050', 20, 2, 224, 1777, 'RTX 3050 8GB'],
      ['RTX 3050 6GB', 18, 2, 168, 1470],
      ['RTX 3060', 28, 2.25, 360, 1777, 'RTX 3060 12GB'],
      ['RTX 3060 8GB', 28, 2.25, 240, 1777],
      ['RTX 3060 Ti', 38, 3, 448, 1665],
      ['RTX 3070', 46, 4, 448, 1725],
      ['RTX 3070 Ti', 48, 4, 608, 1770],
      ['RTX 3080', 68, 5, 760, 1710, 'RTX 3080 10GB'],
      ['RTX 3080 12GB', 70, 6, 912, 1710],
      ['RTX 3080 Ti', 80, 6, 912, 1665],
      ['RTX 3090', 82, 6, 936, 1695],
      ['RTX 3090 Ti', 84, 6, 1008, 1860],
      ['RTX 3050 Laptop', 16, 2, 192, 1740],
      ['RTX 3050 Ti Laptop', 20, 2, 192, 1695],
      ['RTX 3060 Laptop', 30, 3, 336, 1702],
      ['RTX 3070 Laptop', 40, 4, 448, 1620],
      ['RTX 3070 Ti Laptop', 46, 4, 448, 1485],
      ['RTX 3080 Laptop', 48, 4, 448, 1710],
      ['RTX 3080 Ti Laptop', 58, 4, 512, 1590],
    ],
  ),
  ...parts(
    '8.7',
    'AGX Orin 64GB, Orin NX 16GB and Orin Nano: deviceQuery; their datasheets (AGX Orin 32GB and clocks of the Orin NX not confirmed)',
    [
      ['Jetson AGX Orin 64GB', 16, 4, 204.8, 1300, 'Jetson AGX Orin', 'Orin', 'Jetson Orin'],
      ['Jetson AGX Orin 32GB', 14, 4, 204.8, 930],
      ['Jetson Orin NX 16GB', 8, 2, 102.4, 1173, 'Orin NX'],
      ['Jetson Orin NX 8GB', 8, 2, 102.4, 1173],
      ['Jetson Orin Nano 8GB', 8, 2, 102, 1020, 'Orin Nano', 'Jetson Orin Nano Super'],
      ['Jetson Orin Nano 4GB', 4, 2, 51, 1020],
    ],
  ),
  ...parts(
    '8.9',
    'RTX Ada generation: Wikipedia; L4 and L40S: deviceQuery (clock of the L40 and the RTX 2000 Ada not confirmed)',
    [
      ['L4', 58, 48, 300, 2040],
      ['L40', 142, 96, 864, 2490],
      ['L40S', 142, 96, 864, 2520],
      ['RTX 2000 Ada', 22, 12, 224, 2130],
      ['RTX 4000 SFF Ada', 48, 48, 280, 1560],
      ['RTX 4000 Ada', 48, 48, 360, 2175],
      ['RTX 4500 Ada', 60, 48, 432, 2580],
      ['RTX 5000 Ada', 100, 72, 576, 2550],
      ['RTX 5880 Ada', 110, 72, 960, 2460],
      ['RTX 6000 Ada', 142, 96, 960, 2505],
    ],
  ),
  ...parts(
    '8.9',
    'GeForce RTX 40 series: Wikipedia, NVIDIA (clocks of laptops); RTX 4050 and 4060 Laptop: deviceQuery',
    [
      ['RTX 4060', 24, 24, 272, 2460],
      ['RTX 4060 Ti', 34, 32, 288, 2535],
      ['RTX 4070', 46, 36, 504, 2475],
      ['RTX 4070 SUPER', 56, 48, 504, 2475],
      ['RTX 4070 Ti', 60, 48, 504, 2610],
      ['RTX 4070 Ti SUPER', 66, 48, 672, 2610],
      ['RTX 4080', 76, 64, 717, 2505],
      ['RTX 4080 SUPER', 80, 64, 736, 2550],
      ['RTX 4090', 128, 72, 1008, 2520],
      ['RTX 4090 D', 114, 72, 1008, 2520],
      ['RTX 4050 Laptop', 20, 24, 192, 2370],
      ['RTX 4060 Laptop', 24, 32, 256, 2370],
      ['RTX 4070 Laptop', 36, 32, 256, 2175],
      ['RTX 4080 Laptop', 58, 48, 432, 2280],
      ['RTX 4090 Laptop', 76, 64, 576, 2040],
    ],
  ),
  ...parts(
    '9.0',
    'H200: its driver; H100 PCIe and GH200: deviceQuery; H100 SXM and NVL: datasheets (clock of the NVL, H20 and GH200 144GB not confirmed)',
    [
      ['H100 SXM', 132, 50, 3350, 1980, 'H100', 'H100 80GB HBM3', 'H800'],
      ['H100 PCIe', 114, 50, 2039, 1755],
      ['H100 NVL', 132, 50, 3938, 1785],
      ['H200', 132, 60, 4800, 1980, 'H200 SXM', 'H200 NVL'],
      ['H20', 78, 60, 4000, 1980],
      ['GH200', 132, 60, 4000, 1980, 'GH200 480GB', 'GH200 120GB', 'GH200 96GB'],
      ['GH200 144GB', 132, 60, 4900, 1980],
    ],
  ),
  ...parts('10.0', 'B200 and GB200 datasheets (L2, clock and the 152 multiprocessors of the GB200 not confirmed)', [
    ['B200', 148, 126, 8000, 1965, 'HGX B200', 'DGX B200'],
    ['GB200', 152, 126, 8000, 1965],
  ]),
  ...parts('10.3', 'B300 and GB300 datasheets (all but the bandwidth not confirmed)', [
    ['B300', 148, 126, 8000, 1920, 'B300 SXM6 AC', 'HGX B300', 'DGX B300'],
    ['GB300', 152, 126, 8000, 1920],
  ]),
  ...parts('11.0', 'T5000: deviceQuery; Jetson Thor series modules datasheet (clocks and the T4000 not confirmed)', [
    ['Jetson AGX Thor T5000', 20, 32, 273, 1575, 'Thor', 'Jetson Thor', 'Jetson AGX Thor', 'Jetson T5000'],
    ['Jetson T4000', 12, 32, 273, 1530, 'Jetson Thor T4000'],
  ]),
  ...parts('12.0', 'RTX PRO Blackwell: Wikipedia (the Server Edition not confirmed)', [
    ['RTX PRO 4000 Blackwell', 70, 48, 672, 2617],
    ['RTX PRO 4500 Blackwell', 82, 64, 896, 2617],
    ['RTX PRO 5000 Blackwell', 110, 96, 1344, 2617],
    ['RTX PRO 6000 Blackwell', 188, 128, 1792, 2617, 'RTX PRO 6000 Blackwell Workstation'],
    ['RTX PRO 6000 Blackwell Max-Q', 188, 128, 1792, 2288, 'RTX PRO 6000 Blackwell Max-Q Workstation'],
    ['RTX PRO 6000 Blackwell Server', 188, 128, 1597, 2617],
  ]),
  ...parts(
    '12.0',
    'GeForce RTX 50 series: Wikipedia, RTX 5060: deviceQuery; laptops: NVIDIA (RTX 5050, and L2 and clocks of laptops not confirmed)',
    [
      ['RTX 5050', 20, 24, 320, 2572],
      ['RTX 5060', 30, 24, 448, 2497],
      ['RTX 5060 Ti', 36, 32, 448, 2572],
      ['RTX 5070', 48, 48, 672, 2512],
      ['RTX 5070 Ti', 70, 48, 896, 2452],
      ['RTX 5080', 84, 64, 960, 2617],
      ['RTX 5090', 170, 96, 1792, 2407, 'RTX 5090 D'],
      ['RTX 5060 Laptop', 26, 24, 384, 2497],
      ['RTX 5070 Laptop', 36, 32, 384, 2347],
      ['RTX 5070 Ti Laptop', 46, 48, 672, 2220],
      ['RTX 5080 Laptop', 60, 64, 896, 2287],
      ['RTX 5090 Laptop', 82, 64, 896, 2160],
    ],
  ),
  ...parts('12.1', 'deviceQuery; DGX Spark hardware overview', [['DGX Spark', 48, 24, 273, 2418, 'GB10', 'Spark']]),
];
