// What the gateway has to know of MCP.
export default {
    // The revision whose calls name the method and the tool in headers.
    MODERN: '2026-07-28',
    OLD_REVISIONS: ['', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'],
    CALL: 'tools/call',
    READS: ['prompts/get', 'resources/read'],
    // One more than the longest name of a method or tool, so that a longer name, cut to this length, never matches one.
    LONGEST_NAME: 129,
    // Nginx keeps bodies of this size in memory. Reading larger ones would hold up the other calls of the worker.
    LARGEST_READ_BODY: 131072,
};
