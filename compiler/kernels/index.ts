/** The registry: every kernel that a plan may have, by the kind of its configuration. */
import type { Embed } from '../ir/ops.js';
import { type Append, type AppendConfig, append } from './append.js';
import type { AttendConfig } from './attend/config.js';
import { attend } from './attend/kernel.js';
import type { Attend } from './attend/operation.js';
import { type AttendRows, type AttendRowsConfig, attendRows } from './attend_rows.js';
import { type CombineRows, type CombineRowsConfig, combineRows } from './combine_rows.js';
import { type EmbedConfig, embed } from './embed.js';
import { type EmbedRows, type EmbedRowsConfig, embedRows } from './embed_rows.js';
import type { ExpertsConfig } from './experts/config.js';
import { experts } from './experts/kernel.js';
import type { Experts } from './experts/operation.js';
import type { Kernel, Launch } from './kernel.js';
import type { MatmulConfig } from './matmul/config.js';
import { matmul } from './matmul/kernel.js';
import { type FindLargest, findLargest, type LargestConfig } from './matmul/largest.js';
import type { Matmul } from './matmul/operation.js';
import { type NormAdd, type NormAddConfig, normAdd } from './norm_add.js';
import { type NormAddRows, type NormAddRowsConfig, normAddRows } from './norm_add_rows.js';
import { type OperandRows, type OperandRowsConfig, operandRows } from './operand_rows.js';
import type { ProjectionConfig } from './projection/config.js';
import { projection } from './projection/kernel.js';
import type { Projection } from './projection/operation.js';
import { type RouteRows, type RouteRowsConfig, routeRows } from './route_rows.js';
import { type ScatterRows, type ScatterRowsConfig, scatterRows } from './scatter_rows.js';
import { type SelectBest, type SelectConfig, select } from './select.js';
import { type SelectRows, type SelectRowsConfig, selectRows } from './select_rows.js';
import { type SortRows, type SortRowsConfig, sortRows } from './sort_rows.js';

/** What plan/ can lower, one kernel node each: of the program of one token, and of those of many rows. */
type TokenOp = Embed | Projection | Experts | NormAdd | Attend | SelectBest;
type RowsOp = EmbedRows | OperandRows | Matmul | Append | AttendRows | NormAddRows | SelectRows;
type ExpertRowsOp = RouteRows | SortRows | ScatterRows | CombineRows;
export type FusedOp = TokenOp | RowsOp | ExpertRowsOp | FindLargest;

export type KernelConfig =
  | (EmbedConfig | ProjectionConfig | ExpertsConfig | NormAddConfig | AttendConfig | SelectConfig)
  | (EmbedRowsConfig | OperandRowsConfig | MatmulConfig | AppendConfig | AttendRowsConfig | NormAddRowsConfig)
  | (RouteRowsConfig | SortRowsConfig | ScatterRowsConfig | CombineRowsConfig)
  | (SelectRowsConfig | LargestConfig);

export const TOKEN_KERNELS = { embed, projection, experts, norm_add: normAdd, attend, select };
export const ROWS_KERNELS = {
  ...{ embed_rows: embedRows, operand_rows: operandRows, matmul, append, attend_rows: attendRows },
  ...{ norm_add_rows: normAddRows, select_rows: selectRows },
  ...{ route_rows: routeRows, sort_rows: sortRows, scatter_rows: scatterRows, combine_rows: combineRows },
};
export const KERNELS = { ...TOKEN_KERNELS, ...ROWS_KERNELS, find_largest: findLargest };

/** A kernel whose operation and configuration are whatever they are: what is asked of it must come from the same node. */
type AnyKernel = Kernel<FusedOp, KernelConfig>;

const BY_OPERATION = new Map(Object.values(KERNELS).map((kernel) => [kernel.operation, kernel as AnyKernel]));

export const kernelOf = ({ kind }: FusedOp): AnyKernel => BY_OPERATION.get(kind)!;

/** What a launch of the kernel asks for. */
export const launchOf = (config: KernelConfig): Launch => kernelFor(config).launch(config);

export const kernelFor = ({ kind }: KernelConfig): AnyKernel => KERNELS[kind] as AnyKernel;
