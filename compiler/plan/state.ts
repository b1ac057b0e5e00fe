/** What a session keeps beside the KV cache (runtime/artifact.h): State, counters, sampling parameters, logit biases. */
export const STATE_BYTES = 16;
export const STATE_COUNTERS_OFFSET = 64;
export const STATE_COUNTERS = 1024;
export const STATE_SAMPLING_OFFSET = STATE_COUNTERS_OFFSET + 4 * STATE_COUNTERS;
/** Where what depends on the model begins. */
export const STATE_HISTORY_OFFSET = STATE_SAMPLING_OFFSET + 64 + 8 * 1024;
