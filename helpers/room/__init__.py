"""A room: a class server for learners who open one address, and the board that shows the room."""
