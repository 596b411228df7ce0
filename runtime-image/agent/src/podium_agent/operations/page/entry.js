// What the agent calls. A refusal comes back as a value: an exception would carry a stack and no code.
const offered = { tree, point, focus, fill, select, scroll, area, html, text, size };
return async (name, argument) => {
  try {
    return { value: await offered[name](argument) };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, message: error.message };
    throw error;
  }
};
